{#-
    materialized: stored

    For tables that lie in a bucket. The model is made as a table in memory, with its contract's
    types and constraints; the plugin of the target stores that as Parquet, whole or, where
    `meta.partition_expr` names a column with days, a week at a time, and shows it as a view.
-#}
{% materialization stored, adapter='duckdb' %}
    {%- set target_relation = this.incorporate(type='view') -%}
    {%- set made = make_intermediate_relation(this.incorporate(type='table')) -%}
    {%- set weeks = week_range() -%}

    {{ run_hooks(pre_hooks) }}
    {%- set by = config.get('meta', {}).get('partition_expr') -%}
    {% call statement('main') -%}
        {{ create_table_as(false, made, compiled_code) }}
    {%- endcall %}
    {#- The plugin reads it over a connection of its own. -#}
    {{ adapter.commit() }}
    {% do adapter.store_relation(
        'dbt_plugin', made, adapter.get_columns_in_relation(made), '', 'parquet',
        {
            'schema': this.schema,
            'table': this.identifier,
            'by': by,
            'start': weeks.start if weeks is not none else none,
            'end': weeks.end if weeks is not none else none,
        }
    ) %}
    {% call statement('drop_made', auto_begin=false) -%}
        drop table {{ made }}
    {%- endcall %}
    {{ run_hooks(post_hooks) }}

    {{ return({'relations': [target_relation]}) }}
{% endmaterialization %}
