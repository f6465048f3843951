"""Vendor attributes that come with twinward: those of the NASes it most often answers, by enterprise number.

Mostly what grants a role or a group to the user who logged in.
"""

from collections.abc import Mapping
from typing import Final

from radius_wire.dictionary import AttributeDefinition, DataType, Encryption

_TEXT: Final = DataType.TEXT
_STRING: Final = DataType.STRING
_INTEGER: Final = DataType.INTEGER
_IPV4ADDR: Final = DataType.IPV4ADDR

CISCO: Final = 9
CITRIX: Final = 66
MICROSOFT: Final = 311
CHECK_POINT: Final = 2620
JUNIPER: Final = 2636
CISCO_ASA: Final = 3076  # once the VPN 3000 of Altiga; the ASA took over the number with the attributes
NETSCREEN: Final = 3224
F5: Final = 3375
FORTINET: Final = 12356
PFSENSE: Final = 13644
ARUBA: Final = 14823
MIKROTIK: Final = 14988
PALO_ALTO: Final = 25461

_PLAIN: Mapping[int, tuple[tuple[str, int, DataType], ...]] = {
    CISCO: (
        ("Cisco-AVPair", 1, _TEXT),
        ("Cisco-NAS-Port", 2, _TEXT),
        ("Cisco-Policy-Up", 37, _TEXT),
        ("Cisco-Policy-Down", 38, _TEXT),
        ("Cisco-In-ACL", 57, _TEXT),
        ("Cisco-Out-ACL", 58, _TEXT),
        ("Cisco-Maximum-Time", 194, _INTEGER),
        ("Cisco-Account-Info", 250, _TEXT),
        ("Cisco-Service-Info", 251, _TEXT),
    ),
    CITRIX: (
        ("Citrix-UID", 10, _INTEGER),
        ("Citrix-GID", 11, _INTEGER),
        ("Citrix-Home", 12, _TEXT),
        ("Citrix-Shell", 13, _TEXT),
        ("Citrix-Group-Names", 14, _TEXT),
        ("Citrix-Group-Ids", 15, _TEXT),
        ("Citrix-User-Groups", 16, _TEXT),
    ),
    MICROSOFT: (
        ("MS-CHAP-Response", 1, _STRING),
        ("MS-CHAP-Error", 2, _TEXT),
        ("MS-MPPE-Encryption-Policy", 7, _INTEGER),
        ("MS-MPPE-Encryption-Types", 8, _INTEGER),
        ("MS-CHAP-Domain", 10, _TEXT),
        ("MS-CHAP-Challenge", 11, _STRING),
        ("MS-CHAP2-Response", 25, _STRING),
        ("MS-CHAP2-Success", 26, _STRING),
        ("MS-CHAP2-CPW", 27, _STRING),
        ("MS-Primary-DNS-Server", 28, _IPV4ADDR),
        ("MS-Secondary-DNS-Server", 29, _IPV4ADDR),
        ("MS-Primary-NBNS-Server", 30, _IPV4ADDR),
        ("MS-Secondary-NBNS-Server", 31, _IPV4ADDR),
    ),
    CHECK_POINT: (
        ("CP-Gaia-User-Role", 229, _TEXT),
        ("CP-Gaia-SuperUser-Access", 230, _INTEGER),
    ),
    JUNIPER: (
        ("Juniper-Local-User-Name", 1, _TEXT),
        ("Juniper-Allow-Commands", 2, _TEXT),
        ("Juniper-Deny-Commands", 3, _TEXT),
        ("Juniper-Allow-Configuration", 4, _TEXT),
        ("Juniper-Deny-Configuration", 5, _TEXT),
        ("Juniper-Interactive-Command", 8, _TEXT),
        ("Juniper-Configuration-Change", 9, _TEXT),
        ("Juniper-User-Permissions", 10, _TEXT),
        ("Juniper-Primary-Dns", 31, _IPV4ADDR),
        ("Juniper-Secondary-Dns", 33, _IPV4ADDR),
        ("Juniper-Ip-Pool-Name", 36, _TEXT),
        ("Juniper-Local-Group-Name", 46, _TEXT),
        ("Juniper-AV-Pair", 52, _TEXT),
    ),
    CISCO_ASA: (
        ("ASA-Simultaneous-Logins", 2, _INTEGER),
        ("ASA-Primary-DNS", 5, _IPV4ADDR),
        ("ASA-Secondary-DNS", 6, _IPV4ADDR),
        ("ASA-Primary-WINS", 7, _IPV4ADDR),
        ("ASA-Secondary-WINS", 8, _IPV4ADDR),
        ("ASA-Tunneling-Protocols", 11, _INTEGER),
        ("ASA-Banner1", 15, _TEXT),
        ("ASA-Group-Policy", 25, _TEXT),
        ("ASA-IPsec-Split-Tunnel-List", 27, _TEXT),
        ("ASA-IPsec-Default-Domain", 28, _TEXT),
        ("ASA-IPsec-Split-DNS-Names", 29, _TEXT),
        ("ASA-Banner2", 36, _TEXT),
        ("ASA-Authenticated-User-Idle-Timeout", 50, _INTEGER),
        ("ASA-IPsec-Split-Tunneling-Policy", 55, _INTEGER),
        ("ASA-WebVPN-URL-List", 71, _TEXT),
        ("ASA-Tunnel-Group-Lock", 85, _TEXT),
        ("ASA-Access-List-Inbound", 86, _TEXT),
        ("ASA-Access-List-Outbound", 87, _TEXT),
        ("ASA-VLAN", 140, _INTEGER),
        ("ASA-Member-Of", 145, _TEXT),
        ("ASA-TunnelGroupName", 146, _TEXT),
        ("ASA-ClientType", 150, _INTEGER),
        ("ASA-SessionType", 151, _INTEGER),
        ("ASA-Address-Pools", 217, _TEXT),
        ("ASA-IPv6-Address-Pools", 218, _TEXT),
        ("ASA-IPv6-VPN-Filter", 219, _TEXT),
        ("ASA-Privilege-Level", 220, _INTEGER),
    ),
    NETSCREEN: (
        ("NS-Admin-Privilege", 1, _INTEGER),
        ("NS-VSYS-Name", 2, _TEXT),
        ("NS-User-Group", 3, _TEXT),
        ("NS-Primary-DNS", 4, _IPV4ADDR),
        ("NS-Secondary-DNS", 5, _IPV4ADDR),
        ("NS-Primary-WINS", 6, _IPV4ADDR),
        ("NS-Secondary-WINS", 7, _IPV4ADDR),
    ),
    F5: (
        ("F5-LTM-User-Role", 1, _INTEGER),
        ("F5-LTM-User-Role-Universal", 2, _INTEGER),
        ("F5-LTM-User-Partition", 3, _TEXT),
        ("F5-LTM-User-Console", 4, _INTEGER),
        ("F5-LTM-User-Shell", 5, _TEXT),
        ("F5-LTM-User-Context-1", 10, _INTEGER),
        ("F5-LTM-User-Context-2", 11, _INTEGER),
        ("F5-LTM-User-Info-1", 12, _TEXT),
        ("F5-LTM-User-Info-2", 13, _TEXT),
    ),
    FORTINET: (
        ("Fortinet-Group-Name", 1, _TEXT),
        ("Fortinet-Client-IP-Address", 2, _IPV4ADDR),
        ("Fortinet-Vdom-Name", 3, _TEXT),
        ("Fortinet-Client-IPv6-Address", 4, _STRING),
        ("Fortinet-Interface-Name", 5, _TEXT),
        ("Fortinet-Access-Profile", 6, _TEXT),
    ),
    PFSENSE: (
        ("pfSense-Bandwidth-Max-Up", 1, _INTEGER),
        ("pfSense-Bandwidth-Max-Down", 2, _INTEGER),
        ("pfSense-Max-Total-Octets", 3, _INTEGER),
    ),
    ARUBA: (
        ("Aruba-User-Role", 1, _TEXT),
        ("Aruba-User-Vlan", 2, _INTEGER),
        ("Aruba-Priv-Admin-User", 3, _INTEGER),
        ("Aruba-Admin-Role", 4, _TEXT),
        ("Aruba-Essid-Name", 5, _TEXT),
        ("Aruba-Location-Id", 6, _TEXT),
        ("Aruba-Named-User-Vlan", 9, _TEXT),
        ("Aruba-AP-Group", 10, _TEXT),
        ("Aruba-Device-Type", 12, _TEXT),
        ("Aruba-CPPM-Role", 23, _TEXT),
        ("Aruba-User-Group", 36, _TEXT),
        ("Aruba-Admin-Path", 42, _TEXT),
    ),
    MIKROTIK: (
        ("Mikrotik-Recv-Limit", 1, _INTEGER),
        ("Mikrotik-Xmit-Limit", 2, _INTEGER),
        ("Mikrotik-Group", 3, _TEXT),
        ("Mikrotik-Rate-Limit", 8, _TEXT),
        ("Mikrotik-Realm", 9, _TEXT),
        ("Mikrotik-Host-IP", 10, _IPV4ADDR),
        ("Mikrotik-Mark-Id", 11, _TEXT),
        ("Mikrotik-Recv-Limit-Gigawords", 14, _INTEGER),
        ("Mikrotik-Xmit-Limit-Gigawords", 15, _INTEGER),
        ("Mikrotik-Total-Limit", 17, _INTEGER),
        ("Mikrotik-Total-Limit-Gigawords", 18, _INTEGER),
        ("Mikrotik-Address-List", 19, _TEXT),
        ("Mikrotik-Delegated-IPv6-Pool", 22, _TEXT),
        ("Mikrotik-DHCP-Option-Set", 23, _TEXT),
        ("Mikrotik-Switching-Filter", 30, _TEXT),
    ),
    PALO_ALTO: (
        ("PaloAlto-Admin-Role", 1, _TEXT),
        ("PaloAlto-Admin-Access-Domain", 2, _TEXT),
        ("PaloAlto-Panorama-Admin-Role", 3, _TEXT),
        ("PaloAlto-Panorama-Admin-Access-Domain", 4, _TEXT),
        ("PaloAlto-User-Group", 5, _TEXT),
        ("PaloAlto-User-Domain", 6, _TEXT),
        ("PaloAlto-Client-Source-IP", 7, _TEXT),
        ("PaloAlto-Client-OS", 8, _TEXT),
        ("PaloAlto-Client-Hostname", 9, _TEXT),
        ("PaloAlto-GlobalProtect-Client-Version", 10, _TEXT),
    ),
}

_HIDDEN = (
    AttributeDefinition("MS-CHAP-MPPE-Keys", 12, _STRING, MICROSOFT, encryption=Encryption.USER_PASSWORD),
    AttributeDefinition("MS-MPPE-Send-Key", 16, _STRING, MICROSOFT, encryption=Encryption.SALTED),
    AttributeDefinition("MS-MPPE-Recv-Key", 17, _STRING, MICROSOFT, encryption=Encryption.SALTED),
)

_VALUES: Mapping[str, Mapping[str, int]] = {
    "MS-MPPE-Encryption-Policy": {"Encryption-Allowed": 1, "Encryption-Required": 2},
    # None for MS-MPPE-Encryption-Types: FreeRADIUS's names stand one bit too low, where 128 bit would ask for 40.
    # The number is 2 for 40 bit, 4 for 128, 6 for either (RFC 2548 §2.4.5).
    "ASA-IPsec-Split-Tunneling-Policy": {"No-Split-Tunneling": 0, "Split-Tunneling": 1, "Local-LAN-Permitted": 2},
    "ASA-ClientType": {
        "Cisco-VPN-Client-IKEv1": 1,
        "AnyConnect-Client-SSL-VPN": 2,
        "Clientless-SSL-VPN": 3,
        "Cut-Through-Proxy": 4,
        "L2TP/IPsec-SSL-VPN": 5,
        "AnyConnect-Client-IPSec-VPN-IKEv2": 6,
    },
    "NS-Admin-Privilege": {
        "Root-Admin": 1,
        "All-VSYS-Root-Admin": 2,
        "VSYS-Admin": 3,
        "Read-Only-Admin": 4,
        "Read-Only-VSYS-Admin": 5,
    },
    "F5-LTM-User-Role": {
        "Administrator": 0,
        "Resource-Admin": 20,
        "User-Manager": 40,
        "Auditor": 80,
        "Manager": 100,
        "App-Editor": 300,
        "Advanced-Operator": 350,
        "Operator": 400,
        "Firewall-Manager": 450,
        "Fraud-Protection-Manager": 480,
        "Certificate-Manager": 500,
        "IRule-Manager": 510,
        "Guest": 700,
        "Web-Application-Security-Administrator": 800,
        "Web-Application-Security-Editor": 810,
        "Acceleration-Policy-Editor": 850,
        "No-Access": 900,
    },
    "F5-LTM-User-Role-Universal": {"Disabled": 0, "Enabled": 1},
    "F5-LTM-User-Console": {"Disabled": 0, "Enabled": 1},
}

VENDOR_ATTRIBUTES: Final = (
    *(
        AttributeDefinition(name, number, kind, vendor, values=_VALUES.get(name, {}))
        for vendor, rows in _PLAIN.items()
        for name, number, kind in rows
    ),
    *_HIDDEN,
)
"""All of the above, as definitions."""
