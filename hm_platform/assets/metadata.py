"""What every asset tells about itself: its owner and the columns it declares.

The columns of the tables that Python writes stand here, once, each with its meaning; dbt models
describe theirs beside their SQL and features in the docstrings of their functions.
"""

from typing import Any

from dagster import MetadataValue, TableColumn, TableSchema

OWNERS = ["team:data-platform"]

_WEEK = ("week", "date", "The week this row was built for, named by its first day.")
_SPLIT = (
    _WEEK,
    ("t_dat", "date", "Day of the purchase."),
    ("customer_id", "string", "Who bought."),
    ("article_id", "string", "What was bought."),
    ("customer_index", "int32", "The customer's row in datasets/customer_index of the week."),
    ("article_index", "int32", "The article's row in datasets/article_index of the week."),
    ("price", "double", "Price paid, in the unit of the landed file."),
    ("sales_channel_id", "int8", "1 = store, 2 = online."),
)

COLUMNS: dict[str, tuple[tuple[str, str, str], ...]] = {
    "raw.landed_files": (
        ("uri", "string", "The file's path inside the landing zone."),
        ("dataset", "string", "articles, customers or transactions: the folder it lies in."),
        ("size", "int64", "Bytes."),
        (
            "content_hash",
            "string",
            "Hash of the file's bytes, blake3:<hex>: equal content, equal hash.",
        ),
        ("content_traits", "list<string>", "What else one look at its bytes told, for reading it."),
        ("first_day", "date", "First day of its good purchases; NULL for other data sets."),
        ("last_day", "date", "Last day of its good purchases; NULL for other data sets."),
        ("rows", "int64", "Data rows in the file; NULL where nobody can tell."),
        ("rows_loaded", "int64", "Rows that are good and are loaded."),
        ("rows_quarantined", "int64", "Rows that were refused: see raw/quarantine."),
        ("rows_held", "int64", "Rows of a file that is held as a whole, but for refused ones."),
        ("rows_kept", "int64", "Rows still loaded of what the file was before it was as it is."),
        ("state", "string", "loaded, held, duplicate or pending."),
        ("reason", "string", "Why it is not loaded, and what to do about it."),
        ("weeks", "list<struct>", "Rows loaded from it by week, and a fingerprint of them."),
        ("columns", "list<struct>", "Name and type of the file's columns."),
        (
            "lost_columns",
            "list<string>",
            "Columns that earlier files had and a held file has not.",
        ),
        ("stamp", "string", "Size, inode and times of change when it was read."),
        ("checked_by", "string", "Fingerprint of the rules that it was checked by."),
        (
            "check_again_on",
            "date",
            "When a row dated in the future is not, or access is tried again.",
        ),
    ),
    "raw.articles": (
        ("article_id", "string", "The article: a variant (colour, print) of a product."),
        ("product_code", "string", "The product that the article is a variant of."),
        ("prod_name", "string", "The product's name."),
        ("product_type_no", "int32", "Number of the product type."),
        ("product_type_name", "string", "Product type, such as Trousers."),
        ("product_group_name", "string", "Group of product types, such as Garment Lower body."),
        ("graphical_appearance_no", "int32", "Number of the graphical appearance."),
        ("graphical_appearance_name", "string", "Graphical appearance, such as Stripe."),
        ("colour_group_code", "string", "Code of the colour group."),
        ("colour_group_name", "string", "Colour group, such as Dark Blue."),
        ("perceived_colour_value_id", "int32", "Number of the perceived colour value."),
        ("perceived_colour_value_name", "string", "Perceived colour value, such as Light."),
        ("perceived_colour_master_id", "int32", "Number of the perceived main colour."),
        ("perceived_colour_master_name", "string", "Perceived main colour, such as Blue."),
        ("department_no", "int32", "Number of the department."),
        ("department_name", "string", "Department that sells the article."),
        ("index_code", "string", "Code of the index."),
        ("index_name", "string", "Index, such as Ladieswear."),
        ("index_group_no", "int32", "Number of the index group."),
        ("index_group_name", "string", "Group of indices, such as Baby/Children."),
        ("section_no", "int32", "Number of the section."),
        ("section_name", "string", "Section of the shop."),
        ("garment_group_no", "int32", "Number of the garment group."),
        ("garment_group_name", "string", "Garment group, such as Jersey Basic."),
        ("detail_desc", "string", "The article's description in words."),
        ("uri", "string", "The landed file that the row came in."),
    ),
    "raw.customers": (
        ("customer_id", "string", "The customer."),
        ("fn", "int8", "1 when the customer receives fashion news; NULL otherwise."),
        ("active", "int8", "1 when the customer is active for communication; NULL otherwise."),
        ("club_member_status", "string", "Standing in the club, such as ACTIVE."),
        ("fashion_news_frequency", "string", "How often fashion news are sent."),
        ("age", "int16", "Age in years."),
        ("postal_code", "string", "Postal code, possibly anonymised."),
        ("uri", "string", "The landed file that the row came in."),
    ),
    "raw.transactions": (
        ("t_dat", "date", "Day of the purchase."),
        ("customer_id", "string", "Who bought."),
        ("article_id", "string", "What was bought."),
        ("price", "double", "Price paid, in the unit of the landed file."),
        ("sales_channel_id", "int8", "1 = store, 2 = online."),
        ("uri", "string", "The landed file that the purchase came in."),
        ("row_number", "int64", "Its row in that file, counted from 1."),
    ),
    "raw.quarantine": (
        ("uri", "string", "The landed file that the row stands in."),
        ("row_number", "int64", "Its row in that file, counted from 1."),
        ("column_name", "string", "The column that is wrong; NULL when the row as a whole is."),
        ("reason", "string", "What is wrong with it."),
        ("record", "string", "The row as it stands in the file."),
    ),
    "marts.loaded_catalogue": (
        ("table_name", "string", "articles, customers or quarantine."),
        ("rows", "int64", "Rows of that table in raw."),
        ("fingerprint", "string", "Names the landed files and the code it was read with."),
    ),
    "marts.loaded_weeks": (
        ("week", "date", "The loaded week, named by its first day."),
        ("files", "int32", "Landed files that have rows of the week."),
        ("purchases", "int64", "Purchases loaded."),
        ("first_day", "date", "Day of the first purchase."),
        ("last_day", "date", "Day of the last purchase."),
        ("fingerprint", "string", "Names the loaded rows and the code that loaded them."),
    ),
    "datasets.article_index": (
        _WEEK,
        ("article_index", "int32", "The article's number in this week, counted from 0."),
        ("article_id", "string", "The article."),
        ("in_training", "bool", "Sold in the training weeks; those articles come first."),
    ),
    "datasets.customer_index": (
        _WEEK,
        ("customer_index", "int32", "The customer's number in this week, counted from 0."),
        ("customer_id", "string", "The customer."),
        ("in_training", "bool", "Bought in the training weeks; those customers come first."),
    ),
    "datasets.train": _SPLIT,
    "datasets.validation": _SPLIT,
    "datasets.test": _SPLIT,
    "evaluation.behavioral_report": (
        _WEEK,
        ("recommender", "string", "The model or the baseline."),
        ("metric", "string", "What is measured, such as map@12."),
        ("value", "double", "Its value, the mean over customers where it is one of theirs."),
        ("low", "double", "Lower end of its 95% interval; NULL for what is not of accuracy."),
        ("high", "double", "Upper end of its 95% interval; NULL for what is not of accuracy."),
        ("customers", "int32", "Customers it was measured on."),
    ),
    "evaluation.drift": (
        _WEEK,
        ("quantity", "string", "What is compared, such as price; a feature has its table's name."),
        ("measure", "string", "ratio, stability_index, or a number of the week, such as median."),
        ("value", "double", "Its value; NULL where there is nothing to measure."),
        (
            "threshold",
            "double",
            "The most an index may be; a ratio lies between it and one over it. NULL: not judged.",
        ),
        ("reference_weeks", "int32", "Weeks before that it was compared with."),
        ("count", "int64", "Purchases, customers or articles of the week that it is over."),
        ("outcome", "string", "passed, failed, reported or not measured."),
        ("detail", "string", "What changed most, before and now."),
        ("weeks_before", "list<struct>", "The same number of each of the weeks before."),
    ),
    "evaluation.score_trend": (
        _WEEK,
        ("model", "string", "The model: both stages, or the first alone where it has no second."),
        ("value", "double", "Its MAP@12 on the week."),
        ("low", "double", "Low end of its interval; NULL where none was computed."),
        ("high", "double", "High end of its interval."),
        ("baseline", "string", "The baseline with the highest MAP@12 on the week."),
        ("baseline_value", "double", "Its MAP@12 on the week."),
        ("baseline_low", "double", "Low end of its interval."),
        ("baseline_high", "double", "High end of its interval."),
        ("customers", "int64", "Customers who bought in the week."),
    ),
    "serving.recommendations": (
        _WEEK,
        ("customer_id", "string", "Whom to show them to."),
        ("rank", "int8", "1 = first."),
        ("article_id", "string", "What to show."),
        ("score", "float", "The recommender's score; comparable within a customer only."),
        ("source", "string", "What proposed the article."),
        ("model_version", "string", "The model that was applied, or a baseline standing in."),
    ),
    "evaluation.behavioral_tests": (
        _WEEK,
        ("model_version", "string", "The model that was tested."),
        ("recommender", "string", "The recommender of the model that was tested."),
        ("test", "string", "The behavioural test."),
        ("effect", "string", "What was measured."),
        ("value", "double", "The size of the effect; NULL where it could not be measured."),
        ("low", "double", "Lower end of its 95% interval; NULL for what is counted."),
        ("high", "double", "Upper end of its 95% interval; NULL for what is counted."),
        ("count", "int64", "Customers, or what else the test looks at, that it is over."),
        ("threshold", "string", "What it must be; NULL where it is only reported."),
        ("severity", "string", "block or warn: what missing the threshold does."),
        ("outcome", "string", "passed, failed, not measured or reported."),
        ("reason", "string", "Why there is the threshold."),
    ),
    "serving.publications": (
        _WEEK,
        ("model_version", "string", "The model that was applied, or a baseline standing in."),
        ("recommender", "string", "The stage of the model, or the baseline, that serves."),
        ("customers", "int64", "Customers with recommendations."),
        ("recommendations", "int64", "Rows published."),
        ("fingerprint", "string", "Names the data, the settings and the code it was built from."),
        ("state", "string", "passed, promoted, rolled_back, last_published or baseline."),
        ("reason", "string", "Why it serves, for people."),
    ),
    "serving.decisions": (
        ("decided_at", "timestamp", "When, in UTC. The newest decision for a week holds."),
        ("week", "date", "The week that it is about, named by its first day."),
        ("kind", "string", "promote or rollback."),
        ("model_version", "string", "The stored model that is to serve."),
        ("reason", "string", "Why, for people."),
    ),
}


def declared(table: str) -> dict[str, Any]:
    """Definition metadata that shows the columns of ``schema.table`` before it is built."""
    return {
        "dagster/column_schema": MetadataValue.table_schema(
            TableSchema(
                columns=[
                    TableColumn(name=name, type=type_, description=description)
                    for name, type_, description in COLUMNS[table]
                ]
            )
        )
    }
