"""fetch_jars.py LOCK FOLDER [MIRROR]: downloads the jars that LOCK names into FOLDER. Who calls checks their sums."""

import shutil
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from jgo.maven import MavenContext


def main(lock, folder, *mirror):
    with tempfile.TemporaryDirectory(dir=folder) as cache:
        remote = {"mirror": mirror[0].rstrip("/")} if mirror else None
        maven = MavenContext(repo_cache=Path(cache), local_repos=[], remote_repos=remote, timeout=60)

        def fetch(line):
            group, artifact, version = line.split()[1].split(":")
            jar = maven.resolver.download(maven.project(group, artifact).at_version(version).artifact())
            shutil.move(jar, folder)

        with ThreadPoolExecutor(8) as pool:
            list(pool.map(fetch, Path(lock).read_text().splitlines()))


main(*sys.argv[1:])
