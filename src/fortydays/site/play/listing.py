"""All pages that compute, in the order in which they are shown."""

from fortydays.site.play import believe, convolution, digit, guess, training
from fortydays.site.play.design import PlayPage

PLAY_PAGES: tuple[PlayPage, ...] = (
    PlayPage(
        name="believe",
        title="Would you have believed it?",
        sentence="Draw a few seeds of the real trials, and see whether the verdict would have been the same.",
        uses=("intervals", "numberline"),
        make=believe.make,
    ),
    PlayPage(
        name="digit",
        title="Draw a digit",
        sentence="The first network answers while you draw. See which units are on, then fool it.",
        uses=("digit.core",),
        make=digit.make,
    ),
    PlayPage(
        name="guess",
        title="Guess before it opens",
        sentence="Say of each claim whether the trials support it, then look. Which kinds do you believe too easily?",
        uses=("numberline",),
        make=guess.make,
    ),
    PlayPage(
        name="train",
        title="Train it here",
        sentence="A thousand digits and your settings: a network learns in the page, and its curve stands over ours.",
        uses=("train.core",),
        make=training.make,
    ),
    PlayPage(
        name="convolution",
        title="One photograph through a convolution",
        sentence="A window slides over a photograph. Change its weights, and see the sum and the map.",
        uses=("convolution.core",),
        make=convolution.make,
    ),
)
