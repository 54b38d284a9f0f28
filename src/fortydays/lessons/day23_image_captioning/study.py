"""Day 23. Image captioning: does a network that writes sentences look at the photograph, and is it near to people?"""

from fortydays.lessons.day23_image_captioning.drills import (
    BLEU,
    CIDER,
    SAME,
    SCORES,
    constant,
    human,
    neighbors,
    page_of_captions,
    write_blindly,
    write_by_beam,
    write_greedily,
)
from fortydays.study.claims import Comparison, InEverySeed
from fortydays.study.design import Exhibit, Study
from fortydays.study.drills import Drill
from fortydays.study.overviews import ExamplesOverview, LinesOverview

WRITERS = ("constant sentence", "blind lstm", "neighbors", "lstm greedy", "lstm beam", "human")


study = Study(
    title="Image captioning",
    dataset="flickr8k",
    drills=(
        Drill(
            name="constant sentence",
            do=constant,
            metrics=SCORES,
            group="baselines",
            description="one training caption for all, chosen on validation",
        ),
        Drill(
            name="blind lstm",
            do=write_blindly,
            metrics=SCORES,
            group="lstm",
            description="the same decoder, given zeros for each photograph",
        ),
        Drill(
            name="neighbors",
            do=neighbors,
            metrics=SCORES,
            group="baselines",
            description="the most usual caption of the ten most similar photographs",
        ),
        Drill(
            name="lstm greedy",
            do=write_greedily,
            metrics=(*SCORES, SAME),
            group="lstm",
            description="MobileNetV2 features, LSTM of 192, best word each time",
        ),
        Drill(
            name="lstm beam",
            do=write_by_beam,
            metrics=SCORES,
            group="lstm",
            description="the same network, beam search of three",
        ),
        Drill(
            name="human",
            do=human,
            metrics=SCORES,
            group="baselines",
            description="each caption of a person against the four others",
        ),
    ),
    claims=(
        Comparison(
            sentence="The LSTM's captions have a higher CIDEr than one sentence for all photographs",
            metric=CIDER.name,
            variant="lstm greedy",
            than="constant sentence",
            direction="above",
        ),
        Comparison(
            sentence="The LSTM's captions have a higher CIDEr than those of the same LSTM without photographs",
            metric=CIDER.name,
            variant="lstm greedy",
            than="blind lstm",
            direction="above",
        ),
        Comparison(
            sentence="The LSTM's captions have a higher CIDEr than the usual caption of ten similar photographs",
            metric=CIDER.name,
            variant="lstm greedy",
            than="neighbors",
            direction="above",
        ),
        Comparison(
            sentence="Beam search gives captions with a higher CIDEr than the best word each time",
            metric=CIDER.name,
            variant="lstm beam",
            than="lstm greedy",
            direction="above",
        ),
        Comparison(
            sentence="Even with beam search, the LSTM's captions have less than half the CIDEr of a person's",
            metric=CIDER.name,
            variant="lstm beam",
            than="human",
            scale=0.5,
            direction="below",
        ),
        InEverySeed(
            sentence="From pixels to words on ONNX Runtime, step by step, the captions are the same",
            variant="lstm greedy",
            metric=SAME.name,
            at_least=1.0,
        ),
    ),
    first=(
        ExamplesOverview(
            title="How near captions are to those of people",
            caption="CIDEr on the test photographs, each caption against four of a person's, with its 95% interval "
            "over seeds and photographs.",
            variants=WRITERS,
            metric=CIDER.name,
            y_from=0,
        ),
    ),
    exhibits=(
        Exhibit(variant="lstm greedy", make=page_of_captions),
        LinesOverview(
            title="The same by BLEU-4",
            caption="BLEU-4 of all test captions together: the mean over seeds, and the ends of the 95% interval of a "
            "bootstrap over the photographs, in the mean over seeds.",
            lines={
                "upper end": {(name, "bleu_4_high"): name for name in WRITERS},
                "BLEU-4": {(name, BLEU.name): name for name in WRITERS},
                "lower end": {(name, "bleu_4_low"): name for name in WRITERS},
            },
            x_label="who writes",
            y_label="BLEU-4",
            y_from=0,
        ),
    ),
)
