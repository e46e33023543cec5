"""A classifier opened at its pooled features computes what it computed, on its own variables."""

from __future__ import annotations

import numpy as np

from eactf.nn.pooled_head import pooled_head


def test_logits_and_unit_features_are_those_of_the_classifier(tiny_classifier, faces):
    classifier = tiny_classifier(filters=5)
    opened = pooled_head(classifier)
    images, _ = faces(4)
    pooled = opened.network(images)
    np.testing.assert_allclose(opened.judge(pooled), classifier(images), atol=1e-5)
    keys = np.arange(8).reshape(4, 2)
    logits, features = opened.train(pooled, keys, rate=0.0)
    np.testing.assert_allclose(logits, classifier(images), atol=1e-5)
    lengths = np.linalg.norm(pooled, axis=1, keepdims=True)
    np.testing.assert_allclose(features, pooled / lengths, atol=1e-5)
    dropped, _ = opened.train(pooled, keys, rate=0.5)
    assert np.abs(dropped - logits).max() > 1e-3
    assert opened.classifier is classifier
    own = {id(variable) for variable in classifier.variables}
    assert {id(variable) for variable in opened.network.variables} < own
