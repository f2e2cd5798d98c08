{#-
    incremental_strategy: replace_weeks

    The weeks to build are deleted from the table and inserted again, some at a time, in the one
    transaction that dbt-duckdb opens around a strategy's SQL. Rows are found by their week and not
    by what the model returns, so a week that has become empty is emptied too. `meta.partition_expr`
    names the column that holds the week.

    Without a range the whole table is made anew and swapped in.
-#}
{% macro get_incremental_replace_weeks_sql(arg_dict) -%}
    {%- set columns = get_quoted_csv(arg_dict.dest_columns | map(attribute='name')) -%}
    {%- set by, weeks = model.config.meta.partition_expr, week_range() -%}
    {%- set insert -%}
        insert into {{ arg_dict.target_relation }} ({{ columns }})
        select {{ columns }} from {{ arg_dict.temp_relation }}
    {%- endset -%}
    delete from {{ arg_dict.target_relation }}
    where {{ in_weeks(by, weeks.start, weeks.end) }};
    {{ insert_in_blocks(insert, by) }}
{%- endmacro %}

{% macro replaces_weeks() -%}
    {{ return(config.get('incremental_strategy') == 'replace_weeks') }}
{%- endmacro %}

{#- Overrides dbt's: a run for all weeks replaces the table as a whole. -#}
{% macro should_full_refresh() -%}
    {%- if not replaces_weeks() -%}
        {{ return(dbt.should_full_refresh()) }}
    {%- endif -%}
    {%- if flags.FULL_REFRESH and week_range() is not none -%}
        {%- do exceptions.raise_compiler_error(
            "--full-refresh with a range of weeks would lose all other weeks: give one or the other"
        ) -%}
    {%- endif -%}
    {{ return(week_range() is none) }}
{%- endmacro %}

{#- Overrides dbt-duckdb's. What replace_weeks inserts is streamed from a temporary view, where the
    adapter's temporary table would hold a range of weeks twice. A table of a range of weeks is made
    some at a time: all of two years, sorted at once, would not fit into memory. -#}
{% macro duckdb__create_table_as(
    temporary, relation, compiled_code, language='sql', partitioned_by=none, sorted_by=none
) -%}
    {%- set by = config.get('meta', {}).get('partition_expr') -%}
    {%- if temporary and replaces_weeks() -%}
        {{- get_assert_columns_equivalent(compiled_code) }}
        create temporary view {{ relation.include(database=false, schema=false) }} as (
            {{ compiled_code }}
        );
    {%- elif by and not temporary and week_range() is not none -%}
        {%- set rows = '(' ~ compiled_code ~ ') as rows_of_weeks' -%}
        {{ dbt.duckdb__create_table_as(
            false, relation, 'select * from ' ~ rows ~ ' where false', language, partitioned_by,
            sorted_by
        ) }}
        {{ insert_in_blocks('insert into ' ~ relation ~ ' by name select * from ' ~ rows, by) }};
    {%- else -%}
        {{ return(dbt.duckdb__create_table_as(
            temporary, relation, compiled_code, language, partitioned_by, sorted_by
        )) }}
    {%- endif -%}
{%- endmacro %}
