"""In which order the places of a model are tried. Pure: what is measured, and the random number, are passed in."""

import math
from collections.abc import Callable, Sequence
from hashlib import blake2b
from operator import itemgetter

from gateway.routing.health import Health
from gateway.routing.policy import RoutePolicy
from gateway.snapshot import DeploymentPolicy, Price

EXPLORED = 0.05  # share of calls that measure a place which is not the fastest

Choose = Callable[[], float]
Places = list[DeploymentPolicy]


def weighted(places: Sequence[DeploymentPolicy], choose: Choose) -> Places:
    """Draw each position by weight from what is left. `choose` returns a number in [0, 1)."""
    left, ordered = list(places), []
    while len(left) > 1:
        point = choose() * sum(place.weight for place in left)
        for place in left:
            point -= place.weight
            if point < 0:
                break
        left.remove(place)
        ordered.append(place)
    return ordered + left


def listed(places: Sequence[DeploymentPolicy], order: Sequence[str]) -> Places:
    """Return places as an administrator ordered them; those that are not named come last, heaviest first."""
    rank = {id_: number for number, id_ in enumerate(order)}
    return sorted(places, key=lambda place: (rank.get(place.id, len(rank)), -place.weight, place.id))


def fastest(places: Sequence[DeploymentPolicy], health: Health, now: float, choose: Choose) -> Places:
    """Order by the average time to the first byte. What was not measured lately goes first, with one call at a time."""
    ordered = weighted(places, choose)  # decides among equals
    if choose() < EXPLORED:
        return ordered
    return sorted(ordered, key=lambda place: health.of(place).expected_s(now))


def idlest(places: Sequence[DeploymentPolicy], health: Health, choose: Choose) -> Places:
    """Order by calls in flight from this process, in proportion to weight."""
    return sorted(weighted(places, choose), key=lambda place: health.of(place).in_flight / place.weight)


def cheapest(
    places: Sequence[DeploymentPolicy], price_of: Callable[[DeploymentPolicy], Price], tokens: tuple[int, int],
    choose: Choose,
) -> Places:  # fmt: skip
    """Order by what a call of `tokens` (prompt, output) costs at most."""

    def bound(place: DeploymentPolicy) -> int:
        price = price_of(place)
        return tokens[0] * price.input + tokens[1] * price.output + price.request * 1_000_000

    return sorted(weighted(places, choose), key=bound)


def sticky(places: Sequence[DeploymentPolicy], session: bytes) -> Places:
    """Order by weighted rendezvous hashing: when a place goes, only its own sessions move, each to its second choice."""
    scores = [(-place.weight / math.log(share_of(session, place.id)), place) for place in places]
    return [place for _, place in sorted(scores, key=itemgetter(0), reverse=True)]


def share_of(session: bytes, salt: str) -> float:
    """Return a number in (0, 1) that is always the same for a session and a salt."""
    digest = blake2b(session, digest_size=8, key=salt.encode()[:64]).digest()
    return ((int.from_bytes(digest, "big") >> 12) + 0.5) / 2**52


def ordered_by(
    route: RoutePolicy, places: Sequence[DeploymentPolicy], *, health: Health, now: float, choose: Choose,
    session: bytes, price_of: Callable[[DeploymentPolicy], Price], tokens: tuple[int, int],
) -> Places:  # fmt: skip
    """Return places in the order of a route's strategy. Calls without a session are drawn by weight."""
    match route.strategy:
        case "ordered":
            return listed(places, route.order)
        case "least_latency":
            return fastest(places, health, now, choose)
        case "least_busy":
            return idlest(places, health, choose)
        case "cheapest":
            return cheapest(places, price_of, tokens, choose)
        case "sticky" if session:
            return sticky(places, session)
        case _:
            return weighted(places, choose)
