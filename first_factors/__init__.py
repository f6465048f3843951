"""First factors beside the login path: our own store's passwords, a directory, the host, another RADIUS server.

`pool.py` asks them on threads of their own, so that one that hangs holds up
nobody else; `router.py` sends each question to the one that keeps the password.
"""
