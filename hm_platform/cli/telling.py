"""The notice of a build that failed. The sensor ``failed_runs`` sees no runs but the daemon's, and
nobody may be watching what cron or CI starts."""

from __future__ import annotations

from hm_platform.building import NotPassedError
from hm_platform.notifying import Notice, notify
from hm_platform.running import RunFailedError
from hm_platform.settings import Settings


def tell(error: RunFailedError | NotPassedError, settings: Settings) -> None:
    """Send the notice; none to the console, on which the command ends with the same words."""
    if settings.notify.get_secret_value() != "console":
        notify(notice_of(error), settings)


def notice_of(error: RunFailedError | NotPassedError) -> Notice:
    if isinstance(error, NotPassedError):
        subject = f"the model of week {error.week} did not pass"
        then = "The week is published all the same, by what served before. Somebody has to look."
    else:
        subject, then = "`hm build` failed", "Mend what is wrong and run it again."
    return Notice(subject, f"{error}\n{then}", "error")
