-- Which daemon started the run of which instant of a schedule (design/schedules.md). It stands with the runs, since it must
-- survive a catalog that is rebuilt: else what has run would run again.

CREATE TABLE schedule_claims (
    workflow       text COLLATE "C" NOT NULL,
    instant_millis bigint NOT NULL,
    holder         text NOT NULL,
    claimed_millis bigint NOT NULL,
    PRIMARY KEY (workflow, instant_millis)
);

UPDATE meta SET value = '3' WHERE name = 'layout';
