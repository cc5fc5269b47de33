//! Dates, times and durations: RFC 3339.

use crate::format::build::Build;
use crate::format::leap_second;
use crate::regex::node::NodeId;

const HOUR: &str = r"(?:[01]\d|2[0-3])";
const MINUTE: &str = r"[0-5]\d";
const FRACTION: &str = r"(?:\.\d+)?";

/// `full-date` of RFC 3339, section 5.6, with the days of each month by its section 5.7.
pub(super) fn date(build: Build) -> NodeId {
    let in_any_year = build.pattern(concat!(
        r"\d{4}-(?:(?:0[13578]|1[02])-(?:0[1-9]|[12]\d|3[01])",
        r"|(?:0[469]|11)-(?:0[1-9]|[12]\d|30)",
        r"|02-(?:0[1-9]|1\d|2[0-8]))",
    ));
    // A year that 4 divides: not a century, or a century that 400 divides (appendix C).
    let in_leap_year = build.pattern(concat!(
        r"(?:\d\d(?:0[48]|[2468][048]|[13579][26])",
        r"|(?:[02468][048]|[13579][26])00)-02-29",
    ));
    build.or([in_any_year, in_leap_year])
}

/// `full-time` of RFC 3339, section 5.6. The second is 60 only in the last minute of a UTC day.
pub(super) fn time(build: Build) -> NodeId {
    let ordinary = build.pattern(&format!(
        "{HOUR}:{MINUTE}:{MINUTE}{FRACTION}(?:[zZ]|[+-]{HOUR}:{MINUTE})"
    ));
    build.or([ordinary, leap_second::language(build)])
}

/// `date-time` of RFC 3339, section 5.6; its note allows a lower-case `t` and `z`.
pub(super) fn date_time(build: Build) -> NodeId {
    build.concat(&[date(build), build.pattern("[tT]"), time(build)])
}

/// `duration` of RFC 3339, appendix A: units come in order, and none between two is left out.
pub(super) fn duration(build: Build) -> NodeId {
    let minutes = r"M(?:\d+S)?";
    let time = format!(r"T\d+(?:H(?:\d+{minutes})?|{minutes}|S)");
    let months = r"M(?:\d+D)?";
    build.pattern(&format!(
        r"P(?:{time}|\d+(?:W|(?:Y(?:\d+{months})?|{months}|D)(?:{time})?))"
    ))
}

#[cfg(test)]
mod tests {
    use crate::format::Format;
    use crate::format::testing::{check, reader};

    /// Days of a month by the rules of the calendar, one by one.
    fn days(year: u32, month: u32) -> u32 {
        match month {
            2 if year.is_multiple_of(400) => 29,
            2 if year.is_multiple_of(100) => 28,
            2 if year.is_multiple_of(4) => 29,
            2 => 28,
            4 | 6 | 9 | 11 => 30,
            1..=12 => 31,
            _ => 0,
        }
    }

    #[test]
    fn dates_are_the_days_of_the_calendar() {
        let is_date = reader(Format::Date);
        let years = [
            0, 1, 4, 100, 400, 1582, 1900, 1999, 2000, 2023, 2024, 2100, 9999,
        ];
        for year in years {
            for (month, day) in (0..=13).flat_map(|m| (0..=32).map(move |d| (m, d))) {
                let text = format!("{year:04}-{month:02}-{day:02}");
                let expected = (1..=days(year, month)).contains(&day);
                assert_eq!(is_date(&text), expected, "{text}");
            }
        }
        for year in 0..=9999 {
            let text = format!("{year:04}-02-29");
            assert_eq!(is_date(&text), days(year, 2) == 29, "{text}");
        }
    }

    #[test]
    fn dates_have_one_spelling() {
        let valid = ["1963-06-19", "0000-01-01"];
        let invalid = [
            "",
            "1963-6-19",
            "63-06-19",
            "+1963-06-19",
            "1963/06/19",
            "19630619",
            "1963-06-19Z",
            " 1963-06-19",
            "1963-06-19\n",
            "1963-W25-3",
            "1963-170",
            "1963-06-1\u{9EA}",
        ];
        check(Format::Date, &valid, &invalid);
    }

    #[test]
    fn seconds_are_sixty_only_before_midnight_in_utc() {
        let is_time = reader(Format::Time);
        for local in 0..24 * 60 {
            let (hour, minute) = (local / 60, local % 60);
            for offset in (0..24 * 60).step_by(7).chain([0, 1, 59, 60, 1439, local]) {
                let (hours, minutes) = (offset / 60, offset % 60);
                for (sign, utc) in [("+", local + 24 * 60 - offset), ("-", local + offset)] {
                    let text = format!("{hour:02}:{minute:02}:60{sign}{hours:02}:{minutes:02}");
                    assert_eq!(is_time(&text), utc % (24 * 60) == 23 * 60 + 59, "{text}");
                }
            }
        }
        let valid = [
            "23:59:60Z",
            "23:59:60.999z",
            "01:29:60+01:30",
            "00:29:60.5-23:30",
            "23:58:60+23:59",
        ];
        let invalid = [
            "23:58:60Z",
            "22:59:60Z",
            "24:59:60+01:00",
            "23:59:61Z",
            "01:29:60+01:00",
        ];
        check(Format::Time, &valid, &invalid);
    }

    #[test]
    fn times_have_an_offset() {
        let valid = [
            "08:30:06Z",
            "00:00:00.000z",
            "23:59:59-23:59",
            "12:34:56-00:00",
        ];
        let invalid = [
            "08:30:06",
            "24:00:00Z",
            "00:60:00Z",
            "8:30:06Z",
            "08:30Z",
            "08:30:06,5Z",
            "08:30:06.Z",
            "08:30:06+01",
            "08:30:06+0100",
            "08:30:06+24:00",
            "08:30:06+00:60",
            "08:30:06Z+00:00",
            "08:30:06 Z",
        ];
        check(Format::Time, &valid, &invalid);
        let valid = [
            "1963-06-19T08:30:06.28Z",
            "1963-06-19t08:30:06z",
            "2016-12-31T15:59:60-08:00",
        ];
        let invalid = [
            "1963-06-19 08:30:06Z",
            "1963-06-19T08:30:06",
            "1963-02-29T08:30:06Z",
            "1963-06-19",
        ];
        check(Format::DateTime, &valid, &invalid);
    }

    #[test]
    fn durations_leave_no_unit_out() {
        let units = ["Y", "M", "D", "H", "M", "S"];
        let is_duration = reader(Format::Duration);
        for chosen in 0..64 {
            let mut text = "P".to_owned();
            let is_chosen = |i: usize| chosen >> i & 1 == 1;
            for (i, unit) in units.into_iter().enumerate().filter(|&(i, _)| is_chosen(i)) {
                if i >= 3 && !text.contains('T') {
                    text.push('T');
                }
                text.push_str(&format!("{}{unit}", 7 * i));
            }
            let apart = |a, b, c| is_chosen(a) && !is_chosen(b) && is_chosen(c);
            let expected = chosen != 0 && !apart(0, 1, 2) && !apart(3, 4, 5);
            assert_eq!(is_duration(&text), expected, "{text}");
        }
        let valid = ["P2W", "P01D", "PT36H", "P99999999999999999999D"];
        let invalid = [
            "P", "PT", "P1", "P1DT", "P1Y2W", "PT1D", "P2D1Y", "P1H", "PT0.5S", "-P1D", "p1d",
            "P1D ",
        ];
        check(Format::Duration, &valid, &invalid);
    }
}
