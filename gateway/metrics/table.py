"""Every metric there is, in one table; docs/operations.md says what to make of them."""

from dataclasses import dataclass
from typing import Literal

Kind = Literal["counter", "gauge", "histogram"]
FAST_S = (0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1.0)
SLOW_S = (0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 120.0, 300.0, 600.0)


@dataclass(frozen=True, slots=True)
class Metric:
    """One metric. `merge` says what the gauges of several processes make together; counters and histograms are summed."""

    name: str
    kind: Kind
    help: str
    labels: tuple[str, ...] = ()
    buckets: tuple[float, ...] = ()
    merge: Literal["sum", "max"] = "sum"


def _counter(name: str, help: str, *labels: str) -> Metric:
    return Metric(f"atrium_{name}_total", "counter", help, labels)


def _summed(name: str, help: str, *labels: str) -> Metric:
    return Metric(f"atrium_{name}", "gauge", help, labels)


def _worst(name: str, help: str, *labels: str) -> Metric:
    return Metric(f"atrium_{name}", "gauge", help, labels, merge="max")


def _histogram(name: str, help: str, buckets: tuple[float, ...], *labels: str) -> Metric:
    return Metric(f"atrium_{name}_seconds", "histogram", help, labels, buckets)


CALLS = _counter("calls", "Calls that ended.", "endpoint", "model", "provider", "status", "code")
REFUSALS = _counter("refusals", "Calls that the gateway itself refused or ended, by reason.", "code")
TOKENS = _counter("tokens", "Tokens of calls that ended.", "model", "provider", "kind")
COST = _counter("cost_usd", "Cost of calls that ended, in US dollars.", "model", "provider")
ESTIMATED = _counter("estimated_calls", "Calls whose usage the gateway had to estimate.", "model", "provider")
OVERHEAD = _histogram("overhead", "Time of a call that the gateway itself took.", FAST_S, "endpoint", "streamed")
TTFT = _histogram("ttft", "Time to the first byte of an answer.", SLOW_S, "model", "provider")
DURATION = _histogram("call", "Time from arrival to the end of an answer.", SLOW_S, "model", "provider")
ALARMS = _counter("alarms", "Alarms, each of which stands in the log.", "code")
LEASE_WAITS = _counter("lease_waits", "Calls that had to wait for a larger slice of a limit.", "store")

PROCESSES = _summed("processes", "Gateway processes that are alive.")
IN_FLIGHT = _summed("in_flight", "Calls under way.")
SESSIONS = _summed("sessions", "Realtime sessions that are open.")
KEYS = _summed("keys_cached", "Keys that processes hold in memory.")
LEASED = _summed("lease_amount", "What processes hold of limits: US dollars, requests, tokens.", "metric", "state")
WAITING = _summed("lease_waiting", "Callers that wait for a larger slice of a limit.", "store")
WANTED = _worst("lease_wanted", "Windows of limits of which somebody could not get enough.", "store")
BACKLOG = _summed("journal_backlog_bytes", "Bytes of the journal that are not in the database yet.")
DRAIN_LAG = _worst("drain_lag_seconds", "Age of the oldest entry of a journal that is not in the database yet.")
JOURNAL_DAMAGE = _summed("journal_damage", "Places at which a journal was found damaged.")
JOURNAL_WARNING = _worst("journal_warning", "1 while a journal is near its bound, full or unreadable.")
POLICY_VERSION = _worst("policy_version", "Revision of the policies in force, of the newest process.")
POLICY_AGE = _worst("policy_age_seconds", "Time since the slowest process saw the change feed.")
STOPS = _worst("stops", "Things that the kill switch has stopped.")
RATES_DEGRADED = _worst("rates_degraded", "1 while rate limits are a local share, as Redis is away.")
STORE_DOWN = _worst("store_down", "1 while a store does not answer.", "store")
BREAKER = _worst("breaker_state", "0: calls go, 1: one call tries, 2: calls are kept away.", "provider", "deployment")
CREDENTIAL_OUT = _worst("credential_refused", "1 while a provider refuses our credential.", "provider")
RETRIES = _counter(
    "retries", "Attempts that followed a failed one, by that one's provider and code.", "provider", "code"
)
FALLBACKS = _counter(
    "fallbacks", "Calls that went on to another model, by the one asked for and why.", "model", "reason"
)
CANARIES_STOPPED = _worst("canaries_stopped", "Canaries that were stopped as too many of their calls failed.")
POOL = _summed("upstream_connections", "Connections to providers, and calls that wait for one.", "provider", "state")
LOOP_LAG = _histogram("event_loop_lag", "How late the event loop was, ten times a second.", FAST_S)
CPU = _counter("process_cpu_seconds", "CPU time of gateway processes.")
RSS = _summed("process_resident_bytes", "Memory of gateway processes.")
STARTED = _worst("process_start_time_seconds", "When the newest gateway process started, as epoch seconds.")

TABLE = {metric.name: metric for metric in tuple(globals().values()) if isinstance(metric, Metric)}
