"""Octets and RADIUS packets, nothing else: no socket, no clock, no chance, standard library only.

`packet.py` reads and builds packets, `authenticators.py` checks their
signatures, `password_hiding.py` hides and reveals what travels hidden.
"""
