"""The RADIUS door: datagram in, datagram or nothing out (RFC 2865, RFC 5080).

`udp.py` holds the sockets, `handler.py` the way of a request; neither knows the
store. A transport hands octets and a peer to the handler and gets replies back.
"""
