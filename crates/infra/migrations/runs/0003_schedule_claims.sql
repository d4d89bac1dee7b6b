-- Which daemon started the run of which instant of a schedule (design/schedules.md). It stands with the runs, since it must
-- survive a catalog that is rebuilt: else what has run would run again.

CREATE TABLE schedule_claims (
    workflow       TEXT NOT NULL,
    instant_millis INTEGER NOT NULL,
    holder         TEXT NOT NULL,
    claimed_millis INTEGER NOT NULL,
    PRIMARY KEY (workflow, instant_millis)
) STRICT, WITHOUT ROWID;

UPDATE meta SET value = '3' WHERE name = 'layout';
