"""The login rules: what stands between an Access-Request and a verdict.

Pure: no socket, no database, no clock. `decide.py` is the heart, `desk.py` the
queue that feeds it in batches, `ports.py` what it needs from outside.
"""
