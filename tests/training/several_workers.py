"""Trains every method for two epochs as one of several workers, or alone, and keeps what came out.

`python several_workers.py OUT.npz`, with `TF_CONFIG` or without it; the chief writes.
"""

from __future__ import annotations

import os
import sys
from contextlib import nullcontext
from pathlib import Path

sys.path[:0] = [str(Path(__file__).resolve().parents[1]), str(Path(__file__).resolve().parents[2])]

COUNT, BATCH = 17, 8
"""Two whole batches and one of a single image, of which all workers but one get nothing."""


def main(out):
    from eactf.cluster import cluster_of, is_in_cluster
    from eactf.quiet import start_tensorflow

    start_tensorflow(find_devices=not is_in_cluster(os.environ))
    import numpy as np
    from tiny_classifiers import make_faces, make_tiny_classifier

    import eactf
    from eactf.data.pipeline import ImageForm, evaluation_batches, training_batches
    from eactf.evaluation.macro_recall import MacroRecall
    from eactf.packed.records import Samples
    from eactf.training.workers import ALONE, connect

    cluster = cluster_of(os.environ)
    workers = ALONE if cluster is None else connect(cluster)
    images, labels = make_faces(COUNT)
    ids = np.arange(100, 100 + COUNT)
    samples = Samples(images=images.astype(np.uint8), ids=ids, given=labels)
    form = ImageForm(size=images.shape[1], channels=1)

    def training(share):
        return training_batches(samples, form, batch_size=BATCH, seed=3, share=share)

    def watched(share):
        return evaluation_batches(samples, form, batch_size=BATCH, share=share)

    def plain():
        return make_tiny_classifier(norm=False)

    def normalised():
        return make_tiny_classifier(norm=True, synchronized=True)

    cut = eactf.Views(crop_padding=1)
    methods = {
        "eac": lambda: eactf.EAC(plain(), 2.0, consistency_ramp=1.0, augmentation=cut),
        "eac_synchronised": lambda: eactf.EAC(normalised(), 2.0),
        "cross_entropy": lambda: eactf.CrossEntropy(normalised(), augmentation=cut),
        "attention_consistency": lambda: eactf.AttentionConsistency(normalised(), views=2),
        "scn": lambda: eactf.SCN(normalised(), ids=ids, relabel_epoch=1, relabel_margin=0.02),
        "rul": lambda: eactf.RUL(normalised(), embedding=4, head_rate=3.0),
    }
    kept = {}
    for name, build in methods.items():
        with workers.strategy.scope() if workers.strategy else nullcontext():
            model = build()
            model.compile(
                optimizer=eactf.optimizers.SGD(0.05, momentum=0.9, coupled_weight_decay=1e-3),
                metrics=["accuracy", MacroRecall(classes=3)],
            )
        before = np.concatenate([w.ravel() for w in model.get_weights()])
        history = model.fit(
            workers.shared(training),
            epochs=2,
            steps_per_epoch=-(-COUNT // BATCH),
            validation_data=workers.shared(watched, in_turn=True),
            verbose=0,
        ).history
        after = np.concatenate([w.ravel() for w in model.get_weights()])
        kept[f"{name}/moved"] = after - before
        kept |= {f"{name}/log/{key}": np.array(values) for key, values in history.items()}
        batches = workers.shared(watched, in_turn=True)
        kept[f"{name}/logits"] = model.predict(batches, verbose=0)
        state = model.state()
        model.restore(workers.told_arrays(state if workers.leads else None))
        again = model.state()
        assert all(np.array_equal(again[key], state[key]) for key in state), name
        if name == "scn":
            kept |= {f"scn/ledger/{key}": a for key, a in model.ledger.columns().items()}
    assert workers.agree(workers.cluster.index if workers.cluster else 0) == workers.count - 1
    if workers.leads:
        np.savez(out, **kept)
    workers.part()


if __name__ == "__main__":
    main(sys.argv[1])
