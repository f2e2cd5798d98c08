"""What `python -m benchmarks.s3` times: ours and what other tools do with the same objects."""

from __future__ import annotations

import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import duckdb

WEEKS = [date(2020, 8, 26) + timedelta(weeks=i) for i in range(4)]
KEYS = ("benchmarkaccesskey", "benchmarksecretkey")


@dataclass(frozen=True)
class Step:
    """What is timed.

    group : what it is compared in
    what : for people
    run : does it; returns the bytes that it moved, or None where that means nothing
    """

    group: str
    what: str
    run: Callable[[Any], int | None]


class Bench:
    """The server as each tool sees it."""

    def __init__(self, endpoint: str, folder: Path) -> None:
        self.endpoint, self.folder = endpoint, folder
        os.environ["AWS_ACCESS_KEY_ID"], os.environ["AWS_SECRET_ACCESS_KEY"] = KEYS
        os.environ["AWS_REGION"] = "us-east-1"

    @property
    def bucket(self) -> Any:
        from hm_platform.storage.s3.bucket import bucket_at

        return bucket_at("bench", "", self.endpoint)

    @property
    def tables(self) -> Any:
        from hm_platform.storage.s3.tables import S3Tables

        return S3Tables(self.bucket)

    @property
    def arrow(self) -> Any:
        from pyarrow.fs import S3FileSystem

        return S3FileSystem(
            access_key=KEYS[0],
            secret_key=KEYS[1],
            endpoint_override=self.endpoint,
            region="us-east-1",
        )

    @property
    def dataset(self) -> Any:
        import pyarrow.dataset as ds

        return ds.dataset("bench/raw/transactions", filesystem=self.arrow, format="parquet")

    def objects(self, prefix: str) -> list[Any]:
        return list(self.bucket.list(prefix))


def _boto3_downloads(bench: Bench) -> int:
    objects, client = bench.objects("raw/"), bench.bucket.client

    def fetch(found: Any) -> None:
        client.download_file("bench", found.key, str(bench.folder / Path(found.key).name))

    with ThreadPoolExecutor(len(objects)) as threads:
        list(threads.map(fetch, objects))
    return sum(o.size for o in objects)


def _we_download(bench: Bench) -> int:
    objects = bench.objects("raw/")
    for found in objects:
        bench.bucket.download(found, bench.folder / Path(found.key).name)
    return sum(o.size for o in objects)


def _we_read(bench: Bench) -> int:
    from hm_platform.storage.tables import Slice

    bench.tables.read(Slice("raw", "transactions"))
    return sum(o.size for o in bench.objects("raw/"))


def _we_stream(bench: Bench) -> int:
    from hm_platform.storage.tables import Slice

    for _ in bench.tables.stream(Slice("raw", "transactions")):
        pass
    return sum(o.size for o in bench.objects("raw/"))


def _arrow_reads(bench: Bench) -> int:
    bench.dataset.to_table()
    return sum(o.size for o in bench.objects("raw/"))


def _we_read_some(bench: Bench) -> None:
    from hm_platform.storage.tables import Slice

    days = (WEEKS[2], WEEKS[3])
    bench.tables.read(Slice("raw", "transactions", days, "t_dat", columns=["article_id", "price"]))


def _arrow_reads_some(bench: Bench) -> None:
    import pyarrow.compute as pc

    wanted = (pc.field("t_dat") >= WEEKS[2]) & (pc.field("t_dat") < WEEKS[3])
    bench.dataset.to_table(columns=["article_id", "price"], filter=wanted)


def _we_ask_in_sql(bench: Bench) -> None:
    from hm_platform.storage.tables import Slice

    with bench.tables.sql(Slice("raw", "transactions")) as db:
        db.execute(
            "SELECT article_id, count(*), sum(price) FROM raw.transactions GROUP BY ALL"
        ).to_arrow_table()


def _parquet_pandas(bench: Bench) -> None:
    import pandas as pd

    pd.read_parquet("bench/raw/transactions", filesystem=bench.arrow)


def _csv_arrow(bench: Bench) -> None:
    import pyarrow as pa
    from pyarrow import csv

    types = csv.ConvertOptions(column_types={"article_id": pa.string()})
    for found in bench.objects("csv/"):
        with bench.arrow.open_input_stream(f"bench/{found.key}") as stream:
            csv.read_csv(stream, convert_options=types)


def _csv_pandas(bench: Bench) -> None:
    import pandas as pd

    for found in bench.objects("csv/"):
        with bench.arrow.open_input_file(f"bench/{found.key}") as stream:
            pd.read_csv(stream, dtype={"article_id": str})


def rows(bench: Bench) -> Any:
    db = duckdb.connect()
    return db.execute(f"FROM '{bench.folder}/rows.parquet'").to_arrow_reader(122_880)


def _we_write(bench: Bench) -> int:
    from hm_platform.storage.tables import Slice

    days = (WEEKS[-1], WEEKS[-1] + timedelta(weeks=1))
    bench.tables.replace(Slice("marts", "written", days, "t_dat"), rows(bench))
    return sum(o.size for o in bench.objects("marts/"))


def _duckdb_writes(bench: Bench) -> int:
    from hm_platform.storage.s3.duckdb_connection import connect

    with connect(bench.bucket) as db:
        db.register("week", rows(bench))
        db.execute("COPY week TO 's3://bench/duckdb.parquet' (COMPRESSION zstd)")
    return sum(o.size for o in bench.objects("duckdb.parquet"))


def _disk_then_boto3(bench: Bench) -> int:
    made = str(bench.folder / "made.parquet")
    with duckdb.connect() as db:
        db.register("week", rows(bench))
        db.execute(f"COPY week TO '{made}' (COMPRESSION zstd)")
    bench.bucket.client.upload_file(made, "bench", "boto3.parquet")
    return sum(o.size for o in bench.objects("boto3.parquet"))


STEPS = {
    "boto3_downloads": Step("Parquet to disk", "boto3's transfer manager", _boto3_downloads),
    "we_download": Step("Parquet to disk", "hm_platform, as it fetches landed files", _we_download),
    "arrow_reads": Step("Parquet into Arrow, whole", "pyarrow's own S3", _arrow_reads),
    "we_read": Step("Parquet into Arrow, whole", "hm_platform", _we_read),
    "we_stream": Step("Parquet into Arrow, whole", "hm_platform, batch by batch", _we_stream),
    "arrow_reads_some": Step("Two columns of a week", "pyarrow's own S3", _arrow_reads_some),
    "we_read_some": Step("Two columns of a week", "hm_platform", _we_read_some),
    "we_ask": Step("A sum by article, in SQL", "hm_platform (DuckDB's httpfs)", _we_ask_in_sql),
    "parquet_pandas": Step("The same rows otherwise", "Parquet into pandas", _parquet_pandas),
    "csv_arrow": Step("The same rows otherwise", "CSV into Arrow", _csv_arrow),
    "csv_pandas": Step("The same rows otherwise", "CSV into pandas", _csv_pandas),
    "disk_then_boto3": Step("A week written", "to disk by DuckDB, then by boto3", _disk_then_boto3),
    "duckdb_writes": Step("A week written", "DuckDB's httpfs", _duckdb_writes),
    "we_write": Step("A week written", "hm_platform", _we_write),
}
