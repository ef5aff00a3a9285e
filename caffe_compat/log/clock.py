"""Seconds out of glog's stamps."""

_DAYS_BEFORE = (0, 31, 59, 90, 120, 151, 181, 212, 243, 273, 304, 334)  # of the year, by month


class Clock:
    """Seconds out of glog's stamps, which may lack the year."""

    def __init__(self) -> None:
        self._minute = ""  # the stamp up to its seconds, and when that is
        self._begin = 0
        self._first_day: int | None = None
        self._month = 0
        self._years = 0
        self._leap = 0

    def microseconds(self, head: str) -> int | None:
        """Microseconds since the first day began, for a prefix such as `I0817 16:02:51.154722 17550 net.cpp:1`."""
        at = head.find(":") + 4
        try:
            if head[:at] != self._minute:
                date, _, time = head[:at].partition(" ")
                day, minutes = self._day_number(date[1:]), int(time[:2]) * 60 + int(time[3:5])
                self._first_day = day if self._first_day is None else self._first_day
                self._begin = ((day - self._first_day) * 1440 + minutes) * 60_000_000
                self._minute = head[:at]
            return self._begin + int(head[at : at + 2]) * 1_000_000 + int(head[at + 3 : at + 9])
        except (IndexError, ValueError):
            return None

    def _day_number(self, date: str) -> int:
        year, month, day = int(date[:-4] or 0), int(date[-4:-2]), int(date[-2:])
        if not year:
            self._years += month < self._month
            self._month = month
            self._leap |= (month, day) == (2, 29)
            leap_days = self._leap * (month > 2)
            return self._years * (365 + self._leap) + _DAYS_BEFORE[month - 1] + day + leap_days
        is_leap = year % 4 == 0 and (year % 100 != 0 or year % 400 == 0)
        leap_days = (year - 1) // 4 - (year - 1) // 100 + (year - 1) // 400 + (is_leap and month > 2)
        return year * 365 + leap_days + _DAYS_BEFORE[month - 1] + day
