"""Day 3. Losses and optimizers: is Adam best, by default and when every optimizer gets the same chance?"""

from fortydays.models.dense import dense_network
from fortydays.study.claims import Best, Comparison, Threshold, ThresholdOfBest
from fortydays.study.design import Study, Variant
from fortydays.study.overviews import SearchOverview
from fortydays.study.search import Search
from fortydays.train.recipe import Recipe

NETWORK = dense_network(activation="relu", units=128)

# The first study: the optimizers as Keras sets them, for the journal's five epochs.
DEFAULT = Recipe(epochs=5, batch_size=64)
SGD = DEFAULT.replace(optimizer="sgd", learning_rate=0.01)
MOMENTUM = SGD.replace(optimizer_options={"momentum": 0.9})
RMSPROP = DEFAULT.replace(optimizer="rmsprop", learning_rate=0.001)
ADAM = DEFAULT.replace(optimizer="adam", learning_rate=0.001)

# The second study: more epochs, a falling rate, and for each optimizer the best of six learning rates, each
# half a power of ten above the last, chosen on the validation split with seeds that are not reported. Two seeds
# cannot tell the two best rates apart, so these have six.
LONGER = {"epochs": 10, "schedule": "cosine"}


def rates(lowest: float) -> Search:
    """Six learning rates, from the lowest up, each sqrt(10) times the one before."""
    return Search(
        field="learning_rate",
        values=tuple(float(f"{lowest * 10 ** (k / 2):.2g}") for k in range(6)),
        finals=(1002, 1003, 1004, 1005),
    )


def squared(recipe: Recipe) -> Recipe:
    """The same recipe with mean squared error in the place of cross-entropy."""
    return recipe.replace(loss="mean_squared_error")


# Why two claims were withdrawn.
ONE_RATE = (
    "Both losses had the same learning rate, and the gradient of squared error is up to fifty times as small. So the "
    "difference was one of rates. The claims on each loss with its best rate take their place."
)

study = Study(
    title="Losses and optimizers",
    dataset="mnist",
    seeds=tuple(range(10)),  # the optimizers come close to one another, and five seeds could not tell them apart
    variants=(
        Variant(
            name="sgd",
            model=NETWORK,
            recipe=SGD,
            group="default",
            description="rate 0.01",
            expected={"not converged": "five epochs are what the journal gives, and SGD at this rate needs more"},
        ),
        Variant(
            name="momentum", model=NETWORK, recipe=MOMENTUM, group="default", description="rate 0.01, momentum 0.9"
        ),
        Variant(name="rmsprop", model=NETWORK, recipe=RMSPROP, group="default", description="rate 0.001"),
        Variant(name="adam", model=NETWORK, recipe=ADAM, group="default", description="rate 0.001"),
        Variant(name="sgd fair", model=NETWORK, recipe=SGD.replace(**LONGER), group="fair", search=rates(0.01)),
        Variant(
            name="momentum fair", model=NETWORK, recipe=MOMENTUM.replace(**LONGER), group="fair", search=rates(0.001)
        ),
        Variant(
            name="rmsprop fair", model=NETWORK, recipe=RMSPROP.replace(**LONGER), group="fair", search=rates(0.0001)
        ),
        Variant(name="adam fair", model=NETWORK, recipe=ADAM.replace(**LONGER), group="fair", search=rates(0.0001)),
        Variant(
            name="sgd squared",
            model=NETWORK,
            recipe=squared(SGD.replace(**LONGER)),
            group="squared error",
            search=rates(0.32),  # higher than for cross-entropy, because the gradient is smaller
        ),
        Variant(
            name="adam squared",
            model=NETWORK,
            recipe=squared(ADAM.replace(**LONGER)),
            group="squared error",
            search=rates(0.0001),
        ),
    ),
    claims=(
        Best(
            sentence="At default settings, Adam is the best of the four optimizers",
            metric="test_accuracy",
            variant="adam",
            among=("sgd", "momentum", "rmsprop"),
        ),
        Threshold(
            sentence="At default settings, Adam reaches about 98% (at least 97.5%)",
            variant="adam",
            metric="test_accuracy",
            about=0.98,
        ),
        Best(
            sentence="With each learning rate chosen fairly, Adam is the best of the four optimizers",
            metric="test_accuracy",
            variant="adam fair",
            among=("sgd fair", "momentum fair", "rmsprop fair"),
        ),
        Threshold(
            sentence="With its learning rate chosen fairly, Adam reaches about 98% (at least 97.5%)",
            variant="adam fair",
            metric="test_accuracy",
            about=0.98,
        ),
        ThresholdOfBest(
            sentence="The fairly chosen recipe that is best on the validation split reaches 98.0%",
            among=("sgd fair", "momentum fair", "rmsprop fair", "adam fair"),
            metric="test_accuracy",
            at_least=0.98,
            demonstration=True,
        ),
        Comparison(
            sentence="Each with its best learning rate, cross-entropy is more accurate than squared error with SGD",
            metric="test_accuracy",
            variant="sgd fair",
            than="sgd squared",
            direction="above",
        ),
        Comparison(
            sentence="Each with its best learning rate, cross-entropy is more accurate than squared error with Adam",
            metric="test_accuracy",
            variant="adam fair",
            than="adam squared",
            direction="above",
        ),
        Comparison(
            sentence="Cross-entropy is more accurate than mean squared error, both with SGD",
            metric="test_accuracy",
            variant="sgd",
            than="sgd squared",
            direction="above",
        ),
        Comparison(
            sentence="Cross-entropy is more accurate than mean squared error, both with Adam",
            metric="test_accuracy",
            variant="adam",
            than="adam squared",
            direction="above",
        ),
    ),
    withdrawn={
        "Cross-entropy is more accurate than mean squared error, both with SGD": ONE_RATE,
        "Cross-entropy is more accurate than mean squared error, both with Adam": ONE_RATE,
    },
    first=(
        SearchOverview(
            title="Accuracy against the learning rate",
            caption="Validation accuracy of each rate that was tried, with one standard deviation over tuning seeds "
            "to each side. A ring marks the rate that was chosen. Accuracies below 90% are cut off.",
            variants=("sgd fair", "momentum fair", "rmsprop fair", "adam fair", "sgd squared", "adam squared"),
            x_label="learning rate (logarithmic)",
            y_from=0.9,
        ),
    ),
)
