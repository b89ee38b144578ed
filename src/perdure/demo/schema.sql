-- The service's own books. Nothing in here comes from the engine but the names in the requests it sends.

-- Every request, written down when it arrives. `ended_ns`, `status` and `fault` follow when it has been dealt with; a
-- request without them was under way when the books were last written. Times are of the machine's monotonic clock.
CREATE TABLE requests (
    id         INTEGER PRIMARY KEY,
    arrived_ns INTEGER NOT NULL,
    ended_ns   INTEGER,
    engine     INTEGER NOT NULL, -- which engine process sent it, counted from 1
    action     TEXT NOT NULL,
    order_id   TEXT NOT NULL,
    status     INTEGER,
    fault      TEXT NOT NULL DEFAULT '',
    is_repeat  INTEGER NOT NULL DEFAULT 0
);

-- What was answered under each idempotency key, so that a repeat gets the same answer and has no effect.
CREATE TABLE answers (
    key    TEXT PRIMARY KEY,
    status INTEGER NOT NULL,
    body   TEXT NOT NULL
);

CREATE TABLE charges (
    id       INTEGER PRIMARY KEY,
    order_id TEXT NOT NULL,
    cents    INTEGER NOT NULL,
    accepted INTEGER NOT NULL -- 0: the card was declined, and no money moved
);

CREATE TABLE refunds (
    id        INTEGER PRIMARY KEY,
    order_id  TEXT NOT NULL,
    charge_id INTEGER NOT NULL,
    cents     INTEGER NOT NULL
);

CREATE TABLE stock (
    sku     TEXT PRIMARY KEY,
    initial INTEGER NOT NULL,
    free    INTEGER NOT NULL CHECK (free >= 0)
);

CREATE TABLE reservations (
    id       INTEGER PRIMARY KEY,
    order_id TEXT NOT NULL,
    sku      TEXT NOT NULL,
    quantity INTEGER NOT NULL,
    state    TEXT NOT NULL -- refused, held, released or shipped
);

-- Each sheet that came out of the printer. The printer knows no idempotency keys.
CREATE TABLE invoices (
    id       INTEGER PRIMARY KEY,
    order_id TEXT NOT NULL
);
