-- The history of runs (design/catalog.md, design/scale.md). Kept apart from the catalog, which can be rebuilt.

CREATE TABLE meta (
    name  text COLLATE "C" PRIMARY KEY,
    value text NOT NULL
);

INSERT INTO meta (name, value) VALUES ('layout', '1');

-- `record` is the whole record as JSON; the columns around it are for filters and order.
CREATE TABLE runs (
    id             text COLLATE "C" PRIMARY KEY,
    name           text COLLATE "C" NOT NULL,
    status         text COLLATE "C" NOT NULL,
    started_millis bigint NOT NULL,
    record         text NOT NULL
);

CREATE INDEX runs_order ON runs (started_millis DESC, id DESC);
CREATE INDEX runs_name ON runs (name, started_millis DESC, id DESC);
