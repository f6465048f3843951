"""The dictionary that comes with twinward: what a second-factor server may send, or meet and log.

The RFCs' own attributes stand here, those of vendors in `built_in_vendors.py`.
Names, numbers and types are spelled as in FreeRADIUS's dictionaries, and a test
compares each of them. An operator's dictionary file adds others.
"""

from collections.abc import Mapping
from typing import Final

from radius_wire.built_in_vendors import VENDOR_ATTRIBUTES
from radius_wire.dictionary import AttributeDefinition, DataType, Dictionary, Encryption

_TEXT: Final = DataType.TEXT
_STRING: Final = DataType.STRING
_INTEGER: Final = DataType.INTEGER
_IPV4ADDR: Final = DataType.IPV4ADDR
_IPV6ADDR: Final = DataType.IPV6ADDR
_IPV6PREFIX: Final = DataType.IPV6PREFIX

_PLAIN = (
    # RFC 2865
    ("User-Name", 1, _TEXT),
    ("CHAP-Password", 3, _STRING),
    ("NAS-IP-Address", 4, _IPV4ADDR),
    ("NAS-Port", 5, _INTEGER),
    ("Service-Type", 6, _INTEGER),
    ("Framed-Protocol", 7, _INTEGER),
    ("Framed-IP-Address", 8, _IPV4ADDR),
    ("Framed-IP-Netmask", 9, _IPV4ADDR),
    ("Framed-Routing", 10, _INTEGER),
    ("Filter-Id", 11, _TEXT),
    ("Framed-MTU", 12, _INTEGER),
    ("Framed-Compression", 13, _INTEGER),
    ("Login-IP-Host", 14, _IPV4ADDR),
    ("Login-Service", 15, _INTEGER),
    ("Login-TCP-Port", 16, _INTEGER),
    ("Reply-Message", 18, _TEXT),
    ("Callback-Number", 19, _TEXT),
    ("Callback-Id", 20, _TEXT),
    ("Framed-Route", 22, _TEXT),
    ("State", 24, _STRING),
    ("Class", 25, _STRING),
    ("Session-Timeout", 27, _INTEGER),
    ("Idle-Timeout", 28, _INTEGER),
    ("Termination-Action", 29, _INTEGER),
    ("Called-Station-Id", 30, _TEXT),
    ("Calling-Station-Id", 31, _TEXT),
    ("NAS-Identifier", 32, _TEXT),
    ("Proxy-State", 33, _STRING),
    ("CHAP-Challenge", 60, _STRING),
    ("NAS-Port-Type", 61, _INTEGER),
    ("Port-Limit", 62, _INTEGER),
    # RFC 2866
    ("Acct-Status-Type", 40, _INTEGER),
    ("Acct-Delay-Time", 41, _INTEGER),
    ("Acct-Input-Octets", 42, _INTEGER),
    ("Acct-Output-Octets", 43, _INTEGER),
    ("Acct-Session-Id", 44, _TEXT),
    ("Acct-Authentic", 45, _INTEGER),
    ("Acct-Session-Time", 46, _INTEGER),
    ("Acct-Input-Packets", 47, _INTEGER),
    ("Acct-Output-Packets", 48, _INTEGER),
    ("Acct-Terminate-Cause", 49, _INTEGER),
    ("Acct-Multi-Session-Id", 50, _TEXT),
    ("Acct-Link-Count", 51, _INTEGER),
    # RFC 2869
    ("Acct-Input-Gigawords", 52, _INTEGER),
    ("Acct-Output-Gigawords", 53, _INTEGER),
    ("Event-Timestamp", 55, DataType.TIME),
    ("Password-Retry", 75, _INTEGER),
    ("Prompt", 76, _INTEGER),
    ("Connect-Info", 77, _TEXT),
    ("EAP-Message", 79, _STRING),
    ("Message-Authenticator", 80, _STRING),
    ("Acct-Interim-Interval", 85, _INTEGER),
    ("NAS-Port-Id", 87, _TEXT),
    ("Framed-Pool", 88, _TEXT),
    # RFC 3162
    ("NAS-IPv6-Address", 95, _IPV6ADDR),
    ("Framed-Interface-Id", 96, DataType.IFID),
    ("Framed-IPv6-Prefix", 97, _IPV6PREFIX),
    ("Login-IPv6-Host", 98, _IPV6ADDR),
    ("Framed-IPv6-Route", 99, _TEXT),
    ("Framed-IPv6-Pool", 100, _TEXT),
    # RFC 3576, RFC 5176
    ("Error-Cause", 101, _INTEGER),
    # RFC 4818
    ("Delegated-IPv6-Prefix", 123, _IPV6PREFIX),
    # RFC 6911
    ("Framed-IPv6-Address", 168, _IPV6ADDR),
    ("DNS-Server-IPv6-Address", 169, _IPV6ADDR),
    ("Route-IPv6-Information", 170, _IPV6PREFIX),
    ("Delegated-IPv6-Prefix-Pool", 171, _TEXT),
    ("Stateful-IPv6-Address-Pool", 172, _TEXT),
)

_TAGGED = (
    # RFC 2868
    ("Tunnel-Type", 64, _INTEGER),
    ("Tunnel-Medium-Type", 65, _INTEGER),
    ("Tunnel-Client-Endpoint", 66, _TEXT),
    ("Tunnel-Server-Endpoint", 67, _TEXT),
    ("Tunnel-Private-Group-Id", 81, _TEXT),
    ("Tunnel-Assignment-Id", 82, _TEXT),
    ("Tunnel-Preference", 83, _INTEGER),
    ("Tunnel-Client-Auth-Id", 90, _TEXT),
    ("Tunnel-Server-Auth-Id", 91, _TEXT),
)

_HIDDEN = (
    AttributeDefinition("User-Password", 2, _TEXT, encryption=Encryption.USER_PASSWORD),
    AttributeDefinition("Tunnel-Password", 69, _TEXT, has_tag=True, encryption=Encryption.SALTED),
)

_VALUES: Mapping[str, Mapping[str, int]] = {
    "Service-Type": {
        "Login-User": 1,
        "Framed-User": 2,
        "Callback-Login-User": 3,
        "Callback-Framed-User": 4,
        "Outbound-User": 5,
        "Administrative-User": 6,
        "NAS-Prompt-User": 7,
        "Authenticate-Only": 8,
        "Callback-NAS-Prompt": 9,
        "Call-Check": 10,
        "Callback-Administrative": 11,
        "Authorize-Only": 17,
    },
    "Framed-Protocol": {
        "PPP": 1,
        "SLIP": 2,
        "ARAP": 3,
        "Gandalf-SLML": 4,
        "Xylogics-IPX-SLIP": 5,
        "X.75-Synchronous": 6,
    },
    "Framed-Routing": {"None": 0, "Broadcast": 1, "Listen": 2, "Broadcast-Listen": 3},
    "Framed-Compression": {"None": 0, "Van-Jacobson-TCP-IP": 1, "IPX-Header-Compression": 2, "Stac-LZS": 3},
    "Login-Service": {"Telnet": 0, "Rlogin": 1, "TCP-Clear": 2, "PortMaster": 3, "LAT": 4, "TCP-Clear-Quiet": 8},
    "Login-TCP-Port": {"Telnet": 23, "Rlogin": 513, "Rsh": 514},
    "Termination-Action": {"Default": 0, "RADIUS-Request": 1},
    "NAS-Port-Type": {
        "Async": 0,
        "Sync": 1,
        "ISDN": 2,
        "ISDN-V120": 3,
        "ISDN-V110": 4,
        "Virtual": 5,
        "PIAFS": 6,
        "HDLC-Clear-Channel": 7,
        "X.25": 8,
        "X.75": 9,
        "G.3-Fax": 10,
        "SDSL": 11,
        "ADSL-CAP": 12,
        "ADSL-DMT": 13,
        "IDSL": 14,
        "Ethernet": 15,
        "xDSL": 16,
        "Cable": 17,
        "Wireless-Other": 18,
        "Wireless-802.11": 19,
    },
    "Acct-Status-Type": {
        "Start": 1,
        "Stop": 2,
        "Interim-Update": 3,
        "Accounting-On": 7,
        "Accounting-Off": 8,
        "Failed": 15,
    },
    "Acct-Authentic": {"RADIUS": 1, "Local": 2, "Remote": 3, "Diameter": 4},
    "Acct-Terminate-Cause": {
        "User-Request": 1,
        "Lost-Carrier": 2,
        "Lost-Service": 3,
        "Idle-Timeout": 4,
        "Session-Timeout": 5,
        "Admin-Reset": 6,
        "Admin-Reboot": 7,
        "Port-Error": 8,
        "NAS-Error": 9,
        "NAS-Request": 10,
        "NAS-Reboot": 11,
        "Port-Unneeded": 12,
        "Port-Preempted": 13,
        "Port-Suspended": 14,
        "Service-Unavailable": 15,
        "Callback": 16,
        "User-Error": 17,
        "Host-Request": 18,
    },
    "Tunnel-Type": {
        "PPTP": 1,
        "L2F": 2,
        "L2TP": 3,
        "ATMP": 4,
        "VTP": 5,
        "AH": 6,
        "IP": 7,
        "MIN-IP": 8,
        "ESP": 9,
        "GRE": 10,
        "DVS": 11,
        "IP-in-IP": 12,
        "VLAN": 13,  # RFC 3580 §3.31
    },
    "Tunnel-Medium-Type": {"IPv4": 1, "IPv6": 2, "NSAP": 3, "HDLC": 4, "BBN-1822": 5, "IEEE-802": 6},
    "Prompt": {"No-Echo": 0, "Echo": 1},
    "Error-Cause": {
        "Residual-Context-Removed": 201,
        "Invalid-EAP-Packet": 202,
        "Unsupported-Attribute": 401,
        "Missing-Attribute": 402,
        "NAS-Identification-Mismatch": 403,
        "Invalid-Request": 404,
        "Unsupported-Service": 405,
        "Unsupported-Extension": 406,
        "Invalid-Attribute-Value": 407,
        "Administratively-Prohibited": 501,
        "Proxy-Request-Not-Routable": 502,
        "Session-Context-Not-Found": 503,
        "Session-Context-Not-Removable": 504,
        "Proxy-Processing-Error": 505,
        "Resources-Unavailable": 506,
        "Request-Initiated": 507,
        "Multiple-Session-Selection-Unsupported": 508,
    },
}

BUILT_IN: Final = Dictionary(
    [
        *(AttributeDefinition(name, number, kind, values=_VALUES.get(name, {})) for name, number, kind in _PLAIN),
        *(
            AttributeDefinition(name, number, kind, has_tag=True, values=_VALUES.get(name, {}))
            for name, number, kind in _TAGGED
        ),
        *_HIDDEN,
        *VENDOR_ATTRIBUTES,
    ]
)
"""Every attribute known without a dictionary file."""
