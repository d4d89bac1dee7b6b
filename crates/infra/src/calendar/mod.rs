//! When schedules are due: cron patterns by `croner`, time zones by the database of IANA (`design/schedules.md`).

mod field;
mod pattern;
mod recurrence;

use std::sync::Arc;

use chrono_tz::{TZ_VARIANTS, Tz};
use mangrove_domain::{
    nearest,
    ports::{Calendar, CalendarError, CalendarPart, Recurrence},
};

use recurrence::CronRecurrence;

/// Cron patterns in the time zones of IANA.
#[derive(Clone, Copy, Debug)]
pub struct CronCalendar {
    default_zone: Tz,
}

impl CronCalendar {
    /// A calendar whose schedules are in this zone, an IANA name, where they name none.
    ///
    /// # Errors
    /// There is no such zone.
    pub fn new(default_zone: &str) -> Result<Self, CalendarError> {
        Ok(Self { default_zone: zone(default_zone)? })
    }

    /// A calendar in the zone of the machine: what the variable `TZ` names (`tz`), else what the system is set to, else UTC.
    #[must_use]
    pub fn of_machine(tz: Option<&str>) -> Self {
        let named = tz.map(|text| text.trim_start_matches(':').to_owned()).filter(|text| !text.is_empty());
        let named = named.or_else(|| iana_time_zone::get_timezone().ok());
        let default_zone = match named.as_deref().map(str::parse) {
            None => Tz::UTC,
            Some(Ok(zone)) => zone,
            Some(Err(_)) => {
                tracing::warn!(zone = ?named, "the zone of the machine has no name that IANA knows; schedules that name none are in UTC");
                Tz::UTC
            }
        };
        Self { default_zone }
    }
}

impl Calendar for CronCalendar {
    fn default_zone(&self) -> &str {
        self.default_zone.name()
    }

    fn recurrence(&self, pattern: &str, zone: Option<&str>) -> Result<Arc<dyn Recurrence>, CalendarError> {
        let zone = zone.map(self::zone).transpose()?.unwrap_or(self.default_zone);
        let recurrence = CronRecurrence { cron: pattern::parse(pattern)?, zone };
        if !recurrence.is_ever_due() {
            let message = format!("`{}` is never due: no date fits it", pattern.trim());
            let advice =
                Some("not every month has the days 29 to 31, and not every year has the 29th of February".to_owned());
            return Err(CalendarError { part: CalendarPart::Pattern, message, advice });
        }
        Ok(Arc::new(recurrence))
    }
}

fn zone(name: &str) -> Result<Tz, CalendarError> {
    name.trim().parse().map_err(|_| {
        let advice = nearest::hint(name.trim(), TZ_VARIANTS.iter().map(|zone| zone.name()))
            .unwrap_or_else(|| "time zones have the names of IANA, such as `Europe/Berlin` or `UTC`".to_owned());
        let message = format!("unknown time zone `{}`", name.trim());
        CalendarError { part: CalendarPart::Zone, message, advice: Some(advice) }
    })
}

#[cfg(test)]
mod tests {
    use mangrove_testkit::contract;

    use super::*;

    #[test]
    fn keeps_the_contract() {
        contract::calendar(|zone| CronCalendar::new(zone).expect("a zone"));
    }

    #[test]
    fn the_zone_of_the_machine_is_what_tz_names() {
        assert_eq!(CronCalendar::of_machine(Some("America/Lima")).default_zone(), "America/Lima");
        assert_eq!(CronCalendar::of_machine(Some(":Asia/Tokyo")).default_zone(), "Asia/Tokyo");
        assert_eq!(CronCalendar::of_machine(Some("CET-1CEST,M3.5.0,M10.5.0/3")).default_zone(), "UTC");
        CronCalendar::new("Europe/Berln").expect_err("no such zone");
    }
}
