"""What `import eactf` offers."""

from __future__ import annotations

import keras

import eactf


def test_every_public_name_resolves_when_it_is_used():
    found = {name: getattr(eactf, name) for name in eactf.__all__}
    assert issubclass(found["EAC"], keras.Model)
    assert issubclass(found["CrossEntropy"], keras.Model)
    assert callable(eactf.build_classifier) and callable(eactf.nn.erase)
    assert callable(eactf.mixture.fit) and callable(eactf.margins.kept)
    assert callable(eactf.metrics.concordance)
    assert callable(eactf.schedules.ramp_up)
    assert callable(eactf.losses.flip_consistency) and eactf.optimizers.SGD
