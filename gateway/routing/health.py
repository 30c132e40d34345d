"""How the places of models are, as this process knows it: breakers, credentials, load, speed. Memory only.

`gateway.routing.sharing` tells other processes, and learns from them.
"""

from collections.abc import Iterable, Sequence

from gateway.errors import UpstreamError
from gateway.routing.breaker import CREDENTIAL, Breaker, Cause
from gateway.routing.retry import asked_wait_s, blames_the_place
from gateway.snapshot import DeploymentPolicy

NEWEST = 0.2  # weight of the newest measurement in an average
STALE_S = 120.0  # what was not measured for so long is not known


class Vitals:
    """What is known of one deployment."""

    __slots__ = ("breaker", "in_flight", "measured_at", "place", "ttfb_s")

    def __init__(self, place: DeploymentPolicy) -> None:
        self.place = place
        self.breaker = Breaker()
        self.in_flight = 0  # calls of this process
        self.ttfb_s = 0.0  # moving average of the time to the first byte
        self.measured_at = 0.0

    def expected_s(self, now: float) -> float:
        """Return the time to the first byte to be expected. Nothing is known: 0 for one call, then the worst."""
        if now - self.measured_at <= STALE_S and self.measured_at:
            return self.ttfb_s
        return float(self.in_flight) * 1_000

    def measure(self, ttfb_s: float, now: float) -> None:
        """Take in how long a first byte took."""
        stale = not self.measured_at or now - self.measured_at > STALE_S
        self.ttfb_s = ttfb_s if stale else self.ttfb_s + NEWEST * (ttfb_s - self.ttfb_s)
        self.measured_at = now


class Outage:
    """A provider that does not take our credential. Another credential is none of its business."""

    __slots__ = ("breaker", "credential", "place")

    def __init__(self, place: DeploymentPolicy) -> None:
        self.place = place
        self.credential = place.credential
        self.breaker = Breaker(CREDENTIAL)

    def __repr__(self) -> str:
        return f"Outage({self.place.provider_id})"


class Health:
    """Every deployment's vitals, and the credentials that are refused.

    `news` names what opened or closed since it was last told to others; `retries` counts by provider and code.
    """

    def __init__(self) -> None:
        self._vitals: dict[str, Vitals] = {}
        self._outages: dict[str, Outage] = {}  # by provider
        self.troubled = False  # a breaker is not closed, or a place cools down
        self.news: set[tuple[str, str]] = set()  # ("place", deployment id), ("credential", provider id)
        self.retries: dict[tuple[str, str], int] = {}
        self.fallbacks: dict[tuple[str, str], int] = {}  # by model's slug and reason

    def of(self, place: DeploymentPolicy) -> Vitals:
        """Return what is known of a deployment."""
        vitals = self._vitals.get(place.id)
        if vitals is None:
            vitals = self._vitals[place.id] = Vitals(place)
        elif vitals.place is not place:
            vitals.place = place
        return vitals

    def barred(self, place: DeploymentPolicy, now: float) -> bool:
        """Say whether the provider refuses our credential, and it is not the time to try it again."""
        outage = self._outages.get(place.provider_id)
        return outage is not None and outage.credential == place.credential and not outage.breaker.lets(now)

    def sorted(self, places: Sequence[DeploymentPolicy], now: float) -> list[DeploymentPolicy]:
        """Return places in their order, those whose breaker is open at the end, the soonest first; barred ones not at all."""
        usable = [place for place in places if not self.barred(place, now)]
        closed = [place for place in usable if self.of(place).breaker.lets(now)]
        if len(closed) == len(usable):
            return usable
        kept_away = [place for place in usable if place not in closed]
        return closed + sorted(kept_away, key=lambda place: _until(self.of(place).breaker))

    def back_in_s(self, places: Iterable[DeploymentPolicy], now: float) -> float:
        """Return the seconds until the first credential of these places is tried again."""
        found = [outage.breaker.until for place in places if (outage := self._outages.get(place.provider_id))]
        return max(1.0, min(found, default=now) - now)

    def begin(self, place: DeploymentPolicy, now: float) -> Vitals:
        """A call goes to a place. It ends with one of `succeed`, `fail`, `forgo`."""
        vitals = self.of(place)
        vitals.in_flight += 1
        if self.troubled:
            vitals.breaker.begin(now)
            outage = self._outages.get(place.provider_id)
            if outage is not None:
                outage.breaker.begin(now)
        return vitals

    def succeed(self, vitals: Vitals, began: float, first_byte: float, now: float) -> None:
        """The call was answered."""
        vitals.in_flight -= 1
        if first_byte:
            vitals.measure(first_byte - began, first_byte)
        if vitals.breaker.succeed(now):
            self.news.add(("place", vitals.place.id))
        if self.troubled:
            self._accepted(vitals.place)
            self.look_again(now)

    def forgo(self, vitals: Vitals) -> None:
        """The call ended by something that says nothing about the place, such as a client that hung up."""
        vitals.in_flight -= 1
        vitals.breaker.forgo()
        outage = self._outages.get(vitals.place.provider_id)
        if outage is not None:
            outage.breaker.forgo()

    def fail(self, vitals: Vitals, error: UpstreamError, now: float) -> None:
        """The call failed. What the caller is to blame for counts as an answer."""
        vitals.in_flight -= 1
        place, breaker = vitals.place, vitals.breaker
        if error.code == "upstream_credential":
            breaker.forgo()
            self._refused(place, now)
        elif blames_the_place(error):
            wait_s = asked_wait_s(error) if error.status == 429 else None
            if wait_s is not None:
                breaker.cool(now, wait_s)
            cause: Cause = "failing" if error.sent else "unreachable"
            if breaker.fail(now, cause):
                self.news.add(("place", place.id))
            self.troubled = self.troubled or bool(breaker.opened or wait_s is not None)
        elif breaker.succeed(now):
            self.news.add(("place", place.id))

    def out(self) -> list[tuple[DeploymentPolicy, Breaker]]:
        """Return what calls are kept away from, or tried with one at a time: a place for each breaker that is open."""
        places = [(one.place, one.breaker) for one in self._vitals.values() if one.breaker.opened]
        return places + [(one.place, one.breaker) for one in self._outages.values() if one.breaker.opened]

    def vitals(self) -> list[Vitals]:
        """Return what is known of every deployment that was called."""
        return list(self._vitals.values())

    def outages(self) -> list[Outage]:
        """Return the providers that refuse our credential."""
        return list(self._outages.values())

    def answered(self, place: DeploymentPolicy, now: float) -> None:
        """A try outside any call found that the provider answers, and takes our credential.

        A place that could not be reached is back; one that failed calls has the next one try.
        """
        self._accepted(place)
        for vitals in self._vitals.values():
            breaker = vitals.breaker
            if vitals.place.provider_id == place.provider_id and breaker.opened:
                if breaker.cause == "unreachable":
                    breaker.close()
                    self.news.add(("place", vitals.place.id))
                else:
                    breaker.try_now(now)
        self.look_again(now)

    def let_try(self, provider_id: str, now: float) -> None:
        """Somebody wants what is out of a provider to be tried at once: by the next call, and not only when its time is up."""
        for place, breaker in self.out():
            if place.provider_id == provider_id:
                breaker.try_now(now)

    def keep(self, places: Iterable[DeploymentPolicy], now: float) -> None:
        """Forget what is none of these any more, and credentials that were replaced."""
        kept = {place.id: place for place in places}
        credentials = {(place.provider_id, place.credential) for place in kept.values()}
        self._vitals = {id_: one for id_, one in self._vitals.items() if id_ in kept or one.in_flight}
        self._outages = {
            id_: one for id_, one in self._outages.items() if (one.place.provider_id, one.credential) in credentials
        }
        self.look_again(now)

    def outage_of(self, place: DeploymentPolicy) -> Outage:
        """Return the outage of a place's credential, a new one where there is none."""
        outage = self._outages.get(place.provider_id)
        if outage is None or outage.credential != place.credential:
            outage = self._outages[place.provider_id] = Outage(place)
        return outage

    def _refused(self, place: DeploymentPolicy, now: float) -> None:
        breaker = self.outage_of(place).breaker
        if not breaker.opened or now >= breaker.until:
            breaker.open(now, "credential")
            self.news.add(("credential", place.provider_id))
        self.troubled = True

    def _accepted(self, place: DeploymentPolicy) -> None:
        outage = self._outages.get(place.provider_id)
        if outage is not None and outage.credential == place.credential and outage.breaker.opened:
            outage.breaker.close()
            self.news.add(("credential", place.provider_id))

    def look_again(self, now: float) -> None:
        """Find out whether anything is in trouble still."""
        self.troubled = any(
            one.breaker.opened or one.breaker.cooling_until > now for one in self._vitals.values()
        ) or any(one.breaker.opened for one in self._outages.values())


def _until(breaker: Breaker) -> float:
    return max(breaker.until, breaker.cooling_until)
