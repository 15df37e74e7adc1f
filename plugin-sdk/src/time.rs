//! Event time.

const SECOND: i64 = 1000;
const MINUTE: i64 = 60 * SECOND;
const HOUR: i64 = 60 * MINUTE;
const DAY: i64 = 24 * HOUR;

/// Milliseconds since 1970-01-01T00:00Z. All parts of it are those in UTC. A host gives and takes those
/// within 8,640,000,000,000,000 ms of it, which is some 273,000 years.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Time(pub i64);

impl Time {
    /// Milliseconds since the epoch.
    pub const fn millis(self) -> i64 {
        self.0
    }

    /// Whole seconds since the epoch.
    pub const fn seconds(self) -> i64 {
        self.0.div_euclid(SECOND)
    }

    /// Whole days since the epoch.
    pub const fn day(self) -> i64 {
        self.0.div_euclid(DAY)
    }

    /// 0 to 23.
    pub const fn hour_of_day(self) -> u32 {
        (self.0.rem_euclid(DAY) / HOUR) as u32
    }

    /// 0 to 59.
    pub const fn minute_of_hour(self) -> u32 {
        (self.0.rem_euclid(HOUR) / MINUTE) as u32
    }

    /// 0 (Monday) to 6 (Sunday).
    pub const fn weekday(self) -> u32 {
        (self.day() + 3).rem_euclid(7) as u32
    }

    /// Saturday or Sunday.
    pub const fn is_weekend(self) -> bool {
        self.weekday() >= 5
    }

    /// Milliseconds from `earlier` to here; negative if `earlier` is later. Stays at the bounds of
    /// `i64`.
    pub const fn since(self, earlier: Self) -> i64 {
        self.0.saturating_sub(earlier.0)
    }

    /// Year, month (1 to 12) and day of the month (1 to 31), in the Gregorian calendar.
    pub const fn date(self) -> (i64, u32, u32) {
        // Years are counted from March on, so that the leap day is the last: then the days before
        // a month are a linear formula. 719,468 days lie between 0000-03-01 and 1970-01-01.
        let days = self.day() + 719_468;
        let era = days.div_euclid(146_097);
        let of_era = days.rem_euclid(146_097);
        let year_of_era = (of_era - of_era / 1_460 + of_era / 36_524 - of_era / 146_096) / 365;
        let of_year = of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
        let month_from_march = (5 * of_year + 2) / 153;
        let day = of_year - (153 * month_from_march + 2) / 5 + 1;
        let month = if month_from_march < 10 { month_from_march + 3 } else { month_from_march - 9 };
        let year = year_of_era + era * 400 + (month <= 2) as i64;
        (year, month as u32, day as u32)
    }
}

/// As in RFC 3339: `2026-11-22T13:58:13.000Z`.
impl std::fmt::Display for Time {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let (year, month, day) = self.date();
        let (hour, minute) = (self.hour_of_day(), self.minute_of_hour());
        let (second, milli) = (self.seconds().rem_euclid(60), self.0.rem_euclid(SECOND));
        write!(f, "{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}.{milli:03}Z")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_are_those_of_the_calendar() {
        let time = Time(1_795_356_693_042);
        assert_eq!(time.to_string(), "2026-11-22T14:11:33.042Z");
        assert_eq!((time.weekday(), time.is_weekend()), (6, true));
        assert_eq!(Time(951_782_400_000).date(), (2000, 2, 29));
        assert_eq!(Time(4_107_542_400_000).date(), (2100, 3, 1));
        assert_eq!(Time(0).weekday(), 3);
    }

    #[test]
    fn before_the_epoch_parts_still_count_upwards() {
        let time = Time(-1);
        assert_eq!(time.to_string(), "1969-12-31T23:59:59.999Z");
        assert_eq!((time.day(), time.hour_of_day(), time.weekday()), (-1, 23, 2));
    }
}
