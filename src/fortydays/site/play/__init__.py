"""Pages that compute: what a reader can try in the browser, with numbers of the evidence and a plain script.

A page is a :class:`~fortydays.site.play.design.PlayPage` in :data:`~fortydays.site.play.listing.PLAY_PAGES`, and files
in ``templates/play`` that bear its name.
"""
