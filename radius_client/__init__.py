"""A RADIUS client for PAM, `login-test` and web apps: standard library only, quick to import.

`exchange.py` asks one server and believes only proven replies; `client.py`
fails over between servers.
"""
