"""The built-in studies, one row each."""

from influence_core.models import backbones
from influence_core.studies.spec import StudySpec
from influence_core.training import AdamSchedule

_DIGITS_NETWORK = AdamSchedule(steps=6_000, batch=100, rate=5e-3)
_PAPER_NETWORK = AdamSchedule(steps=500_000, batch=500, rate=1e-4, drops=(0.22, 0.44))

CATALOGUE: dict[str, StudySpec] = {
    spec.name: spec
    for spec in (
        StudySpec("digits", "Ten digits, softmax regression", "digits", "softmax", 0.01),
        StudySpec("one-or-seven", "Digits 1 and 7, logistic regression", "digits", "logistic", 0.01, (7, 1)),
        StudySpec(
            "digits-network",
            "Ten digits, convolutional network",
            "digits",
            "all-convolutional",
            0.001,
            n_train=1_000,
            gradient_norm=1e-6,
            schedule=_DIGITS_NETWORK,
            damping=0.01,
        ),
        StudySpec("mnist", "Full MNIST, softmax regression", "mnist", "softmax", 0.01),
        StudySpec(
            "mnist-one-or-seven", "Full MNIST 1 and 7, logistic regression", "mnist", "logistic", 0.01, (7, 1)
        ),
        StudySpec(
            "mnist-network",
            "MNIST, the paper's network and schedule (many hours)",
            "mnist",
            "all-convolutional",
            0.001,
            n_train=5_500,
            gradient_norm=1e-4,
            schedule=_PAPER_NETWORK,
            damping=0.01,
        ),
        StudySpec("diabetes", "Diabetes patients, logistic regression", "diabetes", "logistic", 0.001),
        StudySpec(
            "diabetes-thinned",
            "Diabetes patients with a group thinned out",
            "diabetes-thinned",
            "logistic",
            0.001,
            whole="diabetes",
        ),
        StudySpec("hospital", "Hospital readmission, logistic regression", "hospital", "logistic", 1e-4),
        StudySpec(
            "hospital-thinned",
            "Hospital readmission with the children thinned out (the paper's)",
            "hospital-thinned",
            "logistic",
            1e-4,
            whole="hospital",
        ),
        StudySpec("mails", "E-mails, ham or spam, logistic regression", "mails", "logistic", 1e-4),
        StudySpec(
            "dog-or-frog",
            "Photos of dogs and frogs, deep features",
            "photos",
            "logistic",
            0.001,
            backbone=backbones.PACKAGED,
        ),
        StudySpec(
            "springer-or-tench",
            "Photos of springers and tench (the paper's dog and fish), deep features",
            "springer-or-tench",
            "logistic",
            0.001,
            backbone=backbones.PACKAGED,
        ),
        StudySpec("text-folder", "Texts of your own, logistic regression", "text-folder", "logistic", 1e-4),
    )
}
"""The built-in studies by name; the first is the default. New ones are one row here."""

MACHINES: dict[str, StudySpec] = {
    spec.data: spec
    for spec in (
        StudySpec(
            "one-or-seven-svm", "Digits 1 and 7, support vector machine", "digits", "svm", 0.01, (7, 1)
        ),
        StudySpec(
            "mnist-one-or-seven-svm",
            "Full MNIST 1 and 7, support vector machine",
            "mnist",
            "svm",
            0.01,
            (7, 1),
            n_train=11_800,
            n_test=2_100,
        ),
    )
}
"""The support vector machine of each data set that has one: it gives margins, not probabilities, and so is on no menu."""
