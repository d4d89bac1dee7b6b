-- Run once, by the administrator, when the server of compose.yaml starts with an empty volume: two roles and a database.
-- `mangrove_owner` makes the tables; `mangrove` runs, and gets its rights from `mangrove catalog migrate --grant mangrove`.
\set ON_ERROR_STOP on
\getenv owner_password OWNER_PASSWORD
\getenv password DATABASE_PASSWORD

CREATE ROLE mangrove_owner LOGIN PASSWORD :'owner_password';
CREATE ROLE mangrove LOGIN PASSWORD :'password';
CREATE DATABASE automation OWNER mangrove_owner;
REVOKE ALL ON DATABASE automation FROM PUBLIC;
GRANT CONNECT ON DATABASE automation TO mangrove;
