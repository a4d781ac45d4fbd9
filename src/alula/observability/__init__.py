"""Numbers and spans about what engines do, for those who operate them.

What lives here: Prometheus metrics and OpenTelemetry spans, each an observer of an engine; both libraries are optional,
and imported when one of the two is opened.
What does not: decisions, logs, what people ask about one execution (rooms `admin` and `cli`).
Who may import it: `client` and `cli`, which open it; `serve` is handed observers and need not know whose they are.
Where to add one: a metric is a line in `metrics.py` and one in docs/reference/metrics.md.
"""
