"""The benchmark: this proxy beside its peers, in one run on one machine.

``python -m bench`` from the repository's root. Processes under test in :mod:`bench.peers`, what
they talk to in :mod:`bench.upstreams`, who drives them in :mod:`bench.load`, what is measured in
:mod:`bench.scenarios`, what is made of it in :mod:`bench.report`.
"""
