"""The ``evaluation`` assets, a module an asset."""

from hm_platform.assets.evaluation.behavioral_report import behavioral_report
from hm_platform.assets.evaluation.drift import CHECKS as DRIFT_CHECKS
from hm_platform.assets.evaluation.drift import drift
from hm_platform.assets.evaluation.score_trend import score_trend

ASSETS = [drift, behavioral_report, score_trend]
CHECKS = [*DRIFT_CHECKS]
