-- The catalog: what is remembered between scans (design/catalog.md, design/scale.md). The same tables as in SQLite.

CREATE TABLE meta (
    name  text COLLATE "C" PRIMARY KEY,
    value text NOT NULL
);

INSERT INTO meta (name, value) VALUES ('layout', '1');
INSERT INTO meta (name, value) VALUES ('identity', replace(gen_random_uuid()::text, '-', ''));

-- Descriptions by the digest of their JSON text.
CREATE TABLE descriptions (
    digest bytea PRIMARY KEY CHECK (length(digest) = 32),
    json   text NOT NULL
);

-- Fingerprint parts that many rows share: config, packages, bundler. Source parts stand in the rows.
CREATE TABLE parts (
    digest  bytea PRIMARY KEY CHECK (length(digest) = 32),
    encoded bytea NOT NULL
);

-- One row per source. `record` is the row; the columns around it are its key, its revision and what
-- indexes and people need. Paths are relative to their root.
CREATE TABLE sources (
    root        text COLLATE "C" NOT NULL,
    path        text COLLATE "C" NOT NULL CHECK (path NOT LIKE '/%'),
    revision    bigint NOT NULL CHECK (revision > 0),
    kind        text COLLATE "C" NOT NULL,
    state       text COLLATE "C" NOT NULL CHECK (state IN (
        'Indexed', 'BundleBuildFailed', 'ValidationFailed', 'EntryPointUnreadable', 'OrphanedBundleOnly'
    )),
    type_name   text COLLATE "C",
    resolvable  boolean NOT NULL,
    description bytea REFERENCES descriptions (digest),
    record      bytea NOT NULL,
    PRIMARY KEY (root, path),
    CHECK ((state = 'Indexed') = (description IS NOT NULL)),
    CHECK (NOT resolvable OR (state = 'Indexed' AND type_name IS NOT NULL))
);

-- I2: one resolvable row per kind and type.
CREATE UNIQUE INDEX sources_resolvable ON sources (kind, type_name) WHERE resolvable;

CREATE INDEX sources_description ON sources (description);

-- The last revision of rows that were deleted: a source that comes back goes on from there, so that a commit
-- planned on the old row cannot pass for one planned on the new row (I9).
CREATE TABLE departed (
    root     text COLLATE "C" NOT NULL,
    path     text COLLATE "C" NOT NULL,
    revision bigint NOT NULL,
    PRIMARY KEY (root, path)
);

-- The audit of state changes. Commits wait for each other, so that numbers grow in the order in which they are seen.
CREATE TABLE transitions (
    id           bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    root         text COLLATE "C" NOT NULL,
    path         text COLLATE "C" NOT NULL,
    from_state   text,
    to_state     text NOT NULL,
    reason       text NOT NULL,
    entry_digest bytea,
    at_millis    bigint NOT NULL
);

CREATE INDEX transitions_source ON transitions (root, path, id);

-- Remembered inspections; the oldest leave first.
CREATE TABLE inspections (
    id         bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    key        bytea NOT NULL UNIQUE CHECK (length(key) = 32),
    inspection bytea NOT NULL
);
