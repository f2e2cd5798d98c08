"""Models, baselines, metrics and the model store.

One thing happens on import, since it must before torch is loaded: OpenMP's threads are told to
sleep while they wait for each other. By default they spin, and on a machine whose cores are shared
with anything else a step then takes ten times as long.
"""

import os

os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
