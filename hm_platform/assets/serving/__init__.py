"""The ``serving`` assets, a module an asset: decisions of people, recommendations, publications."""

from hm_platform.assets.serving.decisions import decisions
from hm_platform.assets.serving.publications import publications, the_model_passed
from hm_platform.assets.serving.recommendations import everyone_has_a_whole_list, recommendations

ASSETS = [decisions, recommendations, publications]
CHECKS = [everyone_has_a_whole_list, the_model_passed]
