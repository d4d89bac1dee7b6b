-- The history of runs (design/catalog.md). Kept apart from the catalog, which can be rebuilt.

CREATE TABLE meta (
    name  TEXT PRIMARY KEY,
    value TEXT NOT NULL
) STRICT, WITHOUT ROWID;

INSERT INTO meta (name, value) VALUES ('layout', '1');

-- `record` is the whole record as JSON; the columns around it are for filters and order.
CREATE TABLE runs (
    id             TEXT PRIMARY KEY,
    name           TEXT NOT NULL,
    status         TEXT NOT NULL,
    started_millis INTEGER NOT NULL,
    record         TEXT NOT NULL
) STRICT;

CREATE INDEX runs_order ON runs (started_millis DESC, id DESC);
CREATE INDEX runs_name ON runs (name, started_millis DESC, id DESC);
