"""Before a test replaces a part of ``journey``, the module that takes functions from it has taken the real ones."""

import fortydays.days.loading  # noqa: F401
