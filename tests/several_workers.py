"""What the tests of several workers start in processes of their own.

`python several_workers.py methods OUT.npz NAME...` trains methods for an epoch, as one of the
workers that `TF_CONFIG` names; the chief writes. `python several_workers.py eactf ...` is the
command, with networks of two stages.
"""

from __future__ import annotations

import os
import sys
from contextlib import nullcontext
from pathlib import Path

COUNT, BATCH = 17, 8
"""Two whole batches and one of a single image, of which all workers but one get nothing."""


def trained(workers, names):
    """What came out of an epoch of each method: weights' moves, logs, predictions, ledgers."""
    import numpy as np
    from tiny_classifiers import make_faces, make_tiny_classifier

    import eactf
    from eactf.data.pipeline import (
        ImageForm,
        ImageSource,
        evaluation_batches,
        steps_per_epoch,
        training_batches,
    )
    from eactf.evaluation.macro_recall import MacroRecall
    from eactf.methods.planned import PlannedMethod
    from eactf.methods.training_rows import TrainingRows
    from eactf.packed.records import Samples

    images, labels = make_faces(COUNT)
    ids = np.arange(100, 100 + COUNT)
    samples = Samples(images=images.astype(np.uint8), ids=ids, given=labels)
    form, steps = ImageForm(size=images.shape[1], channels=1), steps_per_epoch(COUNT, BATCH)

    def training(share):
        return training_batches(samples, form, batch_size=BATCH, seed=3, share=share)

    def watched(share):
        return evaluation_batches(samples, form, batch_size=BATCH, share=share)

    def network(norm=True):
        return make_tiny_classifier(norm=norm, synchronized=norm)

    cut = eactf.Views(crop_padding=1)
    methods = {
        "eac": lambda: eactf.EAC(network(norm=False), 2.0, augmentation=cut),
        "cross_entropy": lambda: eactf.CrossEntropy(network()),
        "attention_consistency": lambda: eactf.AttentionConsistency(network(), views=2),
        "scn": lambda: eactf.SCN(network(), ids=ids, relabel_epoch=1, relabel_margin=0.02),
        "rul": lambda: eactf.RUL(network(), embedding=4, head_rate=3.0),
        "two_networks": lambda: eactf.TwoNetworks(network(), consistency_weight=2.0),
        "dividemix": lambda: eactf.DivideMix(network(), warm_up=1, unlabelled_weight=5.0),
        "ada_cm": lambda: eactf.AdaCM(
            network(),
            labelled_per_class=3,
            steps_per_epoch=2,
            margin_views="plain",
            margin_floor=0.6,
            scale=3.0,
            ema=0.5,
            strong_operations=0,
            augmentation=cut,
        ),
        "co_teaching": lambda: eactf.CoTeaching(network(), ids=ids, forget_rate=0.4, gradual=0),
    }
    rows = TrainingRows(
        ImageSource(samples, form).take,
        ids,
        labels,
        BATCH,
        seed=3,
        shared=workers.shared,
        steps_of_a_pass=steps,
    )

    def fitted(model):
        """What `fit` tells: of an epoch, or of two whose steps the method plans."""
        if not isinstance(model, PlannedMethod):
            return model.fit(workers.shared(training), steps_per_epoch=steps, verbose=0).history
        model.attach(rows)
        return model.fit(epochs=2, verbose=0).history

    kept = {}
    for name in names:
        with workers.strategy.scope() if workers.strategy else nullcontext():
            model = methods[name]()
            model.compile(
                optimizer=eactf.optimizers.SGD(0.05, momentum=0.9, coupled_weight_decay=1e-3),
                metrics=["accuracy", MacroRecall(classes=3)],
            )
        before = np.concatenate([v.numpy().ravel() for v in model.trainable_variables])
        history = fitted(model)
        after = np.concatenate([v.numpy().ravel() for v in model.trainable_variables])
        kept[f"{name}/moved"] = after - before
        fixed = model.classifier.non_trainable_variables
        statistics = [variable for variable in fixed if variable.dtype == "float32"]
        kept |= {f"{name}/statistics/{n}": v.numpy() for n, v in enumerate(statistics)}
        kept |= {f"{name}/log/{key}": np.array(values) for key, values in history.items()}
        if name == "co_teaching":
            kept["co_teaching/selection"] = model.selection
        if name == "scn":
            kept |= {f"scn/ledger/{key}": a for key, a in model.ledger.columns().items()}
            batches = workers.shared(watched, in_turn=True)
            judged = model.evaluate(batches, steps=steps, return_dict=True, verbose=0)
            kept |= {f"scn/judged/{key}": np.array(value) for key, value in judged.items()}
            kept["scn/logits"] = model.predict(batches, steps=steps, verbose=0)
            state = model.state()
            model.restore(workers.told_arrays(state if workers.leads else None))
            again = model.state()
            assert all(np.array_equal(again[key], array) for key, array in state.items())
    return kept


def main():
    sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
    what, *arguments = sys.argv[1:]
    from eactf.quiet import start_tensorflow

    start_tensorflow(find_devices=False)
    if what == "eactf":
        from shallow_networks import shallow_resnets

        from eactf.cli import cli

        with shallow_resnets():
            cli(arguments, prog_name="eactf")
    import numpy as np

    from eactf.cluster import cluster_of
    from eactf.training.workers import connect

    workers = connect(cluster_of(os.environ))
    assert workers.agree(10 + workers.cluster.index) == 9 + workers.count
    kept = trained(workers, arguments[1:])
    if workers.leads:
        np.savez(arguments[0], **kept)
    workers.part()


if __name__ == "__main__":
    main()
