"""FreeRADIUS as a first factor: it keeps passwords, and asks some users on in one round or two."""

import signal
from pathlib import Path

from support.debian import require_program
from support.freeradius import Proxy, free_udp_port

UPSTREAM_SECRET = b"secret between twinward and old"
ALICE = ("alice", "correct horse")
JUERGEN = ("jürgen", "pässwörd €5")
BOB = ("bob", "battery staple", "111111")  # asked for one code
CAROL = ("carol", "staple battery", "222222", "333333")  # asked for two

# The order of blocks is the same in 3.0 and 3.2. A challenge is set in `authenticate`: `post-auth` is too late for it.
_CONFIG = """
name = "upstream"
logdir = "{folder}"
run_dir = "{folder}"
pidfile = "{folder}/freeradius.pid"
libdir = /usr/lib/freeradius
proxy_requests = no
max_request_time = 15
cleanup_delay = 5
hostname_lookups = no
security {{
    reject_delay = {reject_delay_s}
    status_server = yes
}}
log {{
    colourise = no
}}
client twinward {{
    ipaddr = 127.0.0.1
    secret = "{shared_secret}"
    require_message_authenticator = yes
}}
modules {{
    pap {{
    }}
}}
server default {{
    listen {{
        type = auth
        ipaddr = 127.0.0.1
        port = {port}
    }}
    authorize {{
        {passwords}
        pap
        Autz-Type Status-Server {{
            {sign}
        }}
    }}
    authenticate {{
        Auth-Type PAP {{
            pap
            if (ok) {{
                if (&User-Name == "bob" && !&State) {{
                    {ask_bob}
                }}
                elsif (&User-Name == "carol" && !&State) {{
                    {ask_carol}
                }}
                elsif (&User-Name == "carol" && &session-state:Tmp-Integer-0 == 1) {{
                    {ask_carol_again}
                }}
            }}
        }}
    }}
    post-auth {{
        update reply {{
            &Reply-Message += "Welcome"
            &Filter-Id := "everything"
        }}
        {sign}
        Post-Auth-Type REJECT {{
            {sign}
        }}
        Post-Auth-Type Challenge {{
            {sign}
        }}
    }}
}}
"""
_SIGN = """update reply {
            &Message-Authenticator := 0x00
        }"""
_ASK = """update control {{
            &Response-Packet-Type := Access-Challenge
        }}
        update session-state {{
            &Tmp-Integer-0 := {round}
        }}
        update reply {{
            &Reply-Message := "{prompt}"
        }}"""
_PASSWORD = """if (&User-Name == "{name}" && {when}) {{
            update control {{
                &Cleartext-Password := "{password}"
            }}
        }}"""


class FreeradiusUpstream(Proxy):
    """A FreeRADIUS of its own users on a port of loopback.

    Debian 12's 3.2.1 signs no reply by itself; with `signs_replies` it is told to.
    Its own default holds every Access-Reject back for a second.
    """

    def __init__(self, folder: Path, *, signs_replies: bool = True, reject_delay_s: int = 0) -> None:
        program = require_program("freeradius", "freeradius")
        port = free_udp_port()
        settings = folder / f"upstream-{port}"
        settings.mkdir(mode=0o700)
        rounds = [
            (*ALICE, "!&State"),
            (*JUERGEN, "!&State"),
            (*BOB[:2], "!&State"),
            (BOB[0], BOB[2], "&State"),
            (*CAROL[:2], "!&State"),
            (CAROL[0], CAROL[2], "&session-state:Tmp-Integer-0 == 1"),
            (CAROL[0], CAROL[3], "&session-state:Tmp-Integer-0 == 2"),
        ]
        config = _CONFIG.format(
            folder=settings,
            port=port,
            reject_delay_s=reject_delay_s,
            shared_secret=UPSTREAM_SECRET.decode(),
            passwords="\n".join(_PASSWORD.format(name=name, password=typed, when=when) for name, typed, when in rounds),
            ask_bob=_ASK.format(round=1, prompt="Bobs Code: "),
            ask_carol=_ASK.format(round=1, prompt="Erster Schlüssel: "),
            ask_carol_again=_ASK.format(round=2, prompt="Zweiter Schlüssel: "),
            sign=_SIGN if signs_replies else "",
        )
        (settings / "radiusd.conf").write_text(config)
        log_path = settings / "freeradius.log"
        command = [program, "-f", "-xx", "-d", str(settings), "-l", str(log_path)]
        super().__init__(command, port, log_path, "Ready to process requests")

    @property
    def requests(self) -> int:
        """How many Access-Requests it has taken up; those sent again it tells apart, and they do not count."""
        return self.log.count(") Received Access-Request Id")

    def kill(self) -> None:
        """End it at once; its port refuses from then on."""
        self._process.kill()
        self._process.wait(10)

    def freeze(self) -> None:
        """Let it be silent: its port stays open and nobody reads."""
        self._process.send_signal(signal.SIGSTOP)

    def thaw(self) -> None:
        """Let it go on."""
        self._process.send_signal(signal.SIGCONT)

    def stop(self) -> None:
        """End it, frozen or not."""
        if self._process.poll() is None:
            self.thaw()
        super().stop()
