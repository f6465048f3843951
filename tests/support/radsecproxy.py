"""radsecproxy, the proxy of eduroam, with plain RADIUS on both legs."""

from pathlib import Path

from support.debian import require_program
from support.freeradius import OUTER_SECRET, Proxy, free_udp_port
from support.installations import SHARED_SECRET

_CONFIG = """
ListenUDP 127.0.0.1:{port}
SourceUDP 127.0.0.1
# Sixteen octets to be overwritten: version 1.9 signs a message that has a Message-Authenticator, and adds none itself.
rewrite sign {{
    supplementAttribute 80:'0123456789abcdef
}}
rewrite nothing {{
}}
client nas {{
    host 127.0.0.1
    type udp
    secret "{outer_secret}"
}}
server twinward {{
    host 127.0.0.1
    port {upstream}
    type udp
    secret "{inner_secret}"
    statusServer off
    rewriteOut {rewrite}
}}
realm * {{
    server twinward
}}
"""


class Radsecproxy(Proxy):
    """Hands every Access-Request to the server at a port of loopback.

    Hands on unsigned what a NAS did not sign; with `signs_for_nas` it signs that.
    """

    def __init__(self, folder: Path, upstream: int, *, signs_for_nas: bool = False) -> None:
        program = require_program("radsecproxy", "radsecproxy")
        port = free_udp_port()
        config = _CONFIG.format(
            port=port,
            upstream=upstream,
            outer_secret=OUTER_SECRET.decode(),
            inner_secret=SHARED_SECRET.decode(),
            rewrite="sign" if signs_for_nas else "nothing",
        )
        path = folder / "radsecproxy.conf"
        path.write_text(config)
        command = [program, "-f", "-d", "3", "-c", str(path)]
        super().__init__(command, port, folder / "radsecproxy.log", f"listening for udp on 127.0.0.1:{port}")
