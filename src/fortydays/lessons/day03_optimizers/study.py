"""Day 3. Losses and optimizers: is Adam best, by default and when every optimizer gets the same chance?"""

from fortydays.models.dense import dense_network
from fortydays.study.claims import Best, Comparison, Threshold, ThresholdOfBest
from fortydays.study.design import Study, Variant
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
# half a power of ten above the last, chosen on the validation split with seeds that are not reported.
LONGER = {"epochs": 10, "schedule": "cosine"}


def rates(lowest: float) -> Search:
    """Six learning rates, from the lowest up, each sqrt(10) times the one before."""
    return Search(field="learning_rate", values=tuple(float(f"{lowest * 10 ** (k / 2):.2g}") for k in range(6)))


def squared(recipe: Recipe) -> Recipe:
    """The same recipe with mean squared error in the place of cross-entropy."""
    return recipe.replace(loss="mean_squared_error")


study = Study(
    title="Losses and optimizers",
    dataset="mnist",
    seeds=tuple(range(10)),  # the optimizers come close to one another, and five seeds could not tell them apart
    variants=(
        Variant(name="sgd", model=NETWORK, recipe=SGD, group="default", description="rate 0.01"),
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
        Variant(name="sgd squared", model=NETWORK, recipe=squared(SGD), group="mean squared error"),
        Variant(name="adam squared", model=NETWORK, recipe=squared(ADAM), group="mean squared error"),
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
            at_least=0.975,
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
            at_least=0.975,
        ),
        ThresholdOfBest(
            sentence="The fairly chosen recipe that is best on the validation split reaches 98.0%",
            among=("sgd fair", "momentum fair", "rmsprop fair", "adam fair"),
            metric="test_accuracy",
            at_least=0.98,
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
)
