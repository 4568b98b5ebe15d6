"""Packaging. Tool settings are in pyproject.toml."""

from pathlib import Path

from setuptools import find_packages, setup

AWS = ["botocore>=1.35"]
KEYS = ["sqlalchemy>=2.0.30"]
POSTGRES = ["psycopg[binary]>=3.1.18"]
REDIS = ["txredisapi>=1.6"]
readme = Path(__file__).with_name("README.md")

setup(
    name="naap-twisted",
    version="0.1.0",
    description="Lets a browser call third-party APIs while the keys stay on the server.",
    long_description=readme.read_text(encoding="utf-8") if readme.exists() else "",
    long_description_content_type="text/markdown",
    license="MIT",
    python_requires=">=3.11",
    # Named, so that an editable install puts this directory on sys.path: Twisted looks there for
    # twisted/plugins, which must not have an __init__.py (see twisted.plugin.pluginPackagePaths).
    package_dir={"": "."},
    packages=[*find_packages(include=["naap_twisted", "naap_twisted.*"]), "twisted.plugins"],
    package_data={
        "naap_twisted": ["py.typed", "*.toml", "providers/*.toml"],
        "naap_twisted.page": ["static/*"],
        "naap_twisted.spend": ["*.toml"],
        "twisted.plugins": ["naap_proxy.py"],
    },
    # .ci/run tests the core with each at its lower bound, all of them together.
    install_requires=[
        "twisted[tls]>=25.5",
        "treq>=26.7",
        "klein>=24.8",
        "attrs>=23.2",
        "pyopenssl>=25.1",
        "service-identity>=24.1",
        "idna>=3.7",
        "publicsuffixlist>=1.0.2.20240713",
        "joserfc>=1.6",
        "prometheus-client>=0.20",
        "cryptography>=45.0.1",
        "zope.interface>=6.0",
    ],
    extras_require={
        "test": [
            *("ada-url>=1.15", "hypothesis>=6.100", "import-linter>=2.5", "openai>=1.40"),
            *("mypy>=1.11", "pyyaml>=6", "setuptools>=68"),
            *(*AWS, *KEYS, *POSTGRES, *REDIS),
        ],
        "browser": ["playwright>=1.45"],
        "lint": ["mypy>=1.11", "mypy-zope>=1.0.8", "ruff>=0.6"],
        "aws": AWS,
        "keys": KEYS,
        "postgres": [*KEYS, *POSTGRES],
        "redis": REDIS,
        "webrtc": ["aiortc>=1.9"],
        "bench": ["aiohttp>=3.9", "httptools>=0.6"],
    },
    entry_points={"console_scripts": ["naap-proxy = naap_twisted.start.cli:main"]},
    zip_safe=False,
    classifiers=[
        "Framework :: Twisted",
        "License :: OSI Approved :: MIT License",
        "Programming Language :: Python :: 3.11",
        "Typing :: Typed",
    ],
)
