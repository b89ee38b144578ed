"""What an operator sees: metrics, traces, logs, health.

- ``recorder`` counts what each written batch holds; ``catalogue`` lists all metrics; ``exposition`` puts the counts and
  what is live in the engine into Prometheus' words, when it is asked.
- ``health`` says whether the process is alive and ready; ``http`` serves both.

Nothing here changes what the engine does. Prometheus' and OpenTelemetry's libraries are imported where they are used.
"""
