"""The ``evaluation`` assets, a module an asset."""

from hm_platform.assets.evaluation.behavioral_report import behavioral_report

ASSETS = [behavioral_report]
