"""What is found out about a head: how often it is right, where it looks, which labels are wrong, what would help."""

from dataclasses import asdict

from fortydays.base import clock
from fortydays.base.progress import Progress
from fortydays.base.settings import Settings
from fortydays.fit import findings as found_out
from fortydays.fit.balance import balance
from fortydays.fit.head import CalibratedHead
from fortydays.fit.material import Learner
from fortydays.registry.calibration import calibrated
from fortydays.registry.promotion import Promotion


def examine(
    learner: Learner, head: CalibratedHead, promotion: Promotion, settings: Settings, progress: Progress
) -> found_out.Findings:
    """All that is found out about a head and its version, except how long each phase took.

    Raises:
        DataError, StorageError: features cannot be computed, read or written.
    """
    material, trial = learner.material, head.trial
    kept, noun = material.kept, material.NOUN
    labels, probabilities = kept.labels[kept.of("test")], head.probabilities
    answers = probabilities.argmax(axis=1)
    answered = found_out.answers_on_test(kept, probabilities)
    confusion = found_out.confusion_matrix(labels, answers, classes=len(kept.classes))
    attention = learner.attention(head, answered, settings)
    label_errors, curve = learner.from_features(head, settings, progress)
    return found_out.Findings(
        noun=noun,
        name=material.name,
        place=material.place,
        created=clock.timestamp(),
        model=str(promotion.version),
        alias=promotion.alias if promotion.move is not None or promotion.already else "",
        backbone=learner.pretrained(head, settings),
        inspection=material.inspection.as_dict(),
        classes=kept.classes,
        chosen=found_out.Chosen(
            variant=trial["variant"],
            seed=trial["seed"],
            description=head.evidence["details"][trial["variant"]]["description"],
        ),
        test=found_out.held_out_result(labels, answers, accuracies=head.accuracies(), classes=len(kept.classes)),
        # The temperature was found on validation photographs: what it is worth, others say.
        calibration=calibrated(head.logits, labels, temperature=head.temperature),
        unknown=head.unknown,
        confusion=confusion,
        per_class=found_out.class_results(kept.classes, material.inspection.counts(), confusion),
        mistakes=learner.shown(head, found_out.confident_mistakes(answered), settings),
        label_errors=learner.shown(head, label_errors, settings),
        attention=attention,
        words=learner.words(head),
        learning_curve=curve,
        balance=balance(kept.labels[kept.of("train")], kept.classes, noun=noun),
        gates=tuple(map(asdict, promotion.gates)),
        seconds={},
    )
