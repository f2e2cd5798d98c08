{#-
    The weeks that one dbt invocation builds, given by
        --event-time-start <first day of the first week> --event-time-end <day after the last week>
    dbt reads these flags itself for microbatch models only, of which this project has none. They
    come as flags because changed --vars make dbt parse the whole project again. Without them, all
    weeks are built.
-#}

{#- {'start': date, 'end': date}, the end excluded; none when all weeks are to be built. -#}
{% macro week_range() -%}
    {%- set start = invocation_args_dict.get('event_time_start') -%}
    {%- set end = invocation_args_dict.get('event_time_end') -%}
    {#- Unit tests bring rows of their own and are about all of them. -#}
    {%- if not execute or not start or model.resource_type == 'unit_test' -%}
        {{ return(none) }}
    {%- endif -%}
    {%- set origin = modules.datetime.datetime.fromisoformat(first_week()) -%}
    {%- if (start - origin).total_seconds() % 604800 or (end - origin).total_seconds() % 604800 -%}
        {%- do exceptions.raise_compiler_error(
            "from " ~ start ~ " to " ~ end ~ " is not made of whole weeks: weeks start every 7 days"
            ~ " from " ~ first_week()
        ) -%}
    {%- endif -%}
    {{ return({'start': start.date(), 'end': end.date()}) }}
{%- endmacro %}

{#- A condition: this date or week column lies in the weeks to build. In a model that is made a block
    of weeks at a time, it is about the weeks of the block: each reads the days that it needs, and
    not all that has landed. -#}
{% macro weeks_filter(column) -%}
    {%- set weeks = week_range() -%}
    {%- if weeks is none -%}
        true
    {%- elif model.resource_type == 'model' -%}
        {{ column }} >= coalesce(getvariable('block_start'), date '{{ weeks.start }}')
        and {{ column }} < coalesce(getvariable('block_end'), date '{{ weeks.end }}')
    {%- else -%}
        {{ in_weeks(column, weeks.start, weeks.end) }}
    {%- endif -%}
{%- endmacro %}

{% macro in_weeks(column, start, end) -%}
    {{ column }} >= date '{{ start }}' and {{ column }} < date '{{ end }}'
{%- endmacro %}

{#- Statements that insert the weeks to build, a block of weeks at a time and in their order: a model
    that is made so needs the memory for a block. A quarter of a year is long enough for sums to cost
    hardly more time than all at once; `meta.weeks_at_once` says where another number is better.

    insert : an INSERT up to its WHERE
    week : the column of what is inserted that holds the week -#}
{% macro insert_in_blocks(insert, week) -%}
    {%- set weeks, at_once = week_range(), config.get('meta', {}).get('weeks_at_once', 13) -%}
    {%- set block = modules.datetime.timedelta(weeks=at_once) -%}
    {%- for number in range(((weeks.end - weeks.start) / block) | round(0, 'ceil') | int) %}
        {%- set start = weeks.start + number * block -%}
        {%- set end = [start + block, weeks.end] | min %}
    set variable block_start = date '{{ start }}';
    set variable block_end = date '{{ end }}';
    {{ insert }}
    where {{ in_weeks(week, start, end) }};
    {%- endfor %}
    reset variable block_start;
    reset variable block_end
{%- endmacro %}
