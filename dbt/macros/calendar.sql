{#- The weekly calendar in SQL: hm_platform/calendar.py is where it is defined. -#}

{#- First day of the first week. An environment variable and not a dbt variable: changed --vars make
    dbt parse the whole project again. -#}
{% macro first_week() -%}
    {{ return(env_var('HM_FIRST_WEEK', '2018-09-19')) }}
{%- endmacro %}

{#- The first day of the week that holds a day; also right for days before the first week. -#}
{% macro week_of(day) -%}
    time_bucket(interval 7 day, {{ day }}, date '{{ first_week() }}')::date
{%- endmacro %}

{#- On how many days of their week the rows of a group are. A day is a bit, so the days of a group
    are one number, where count(distinct) would keep a table of them for each. -#}
{% macro days_in_week(day, week) -%}
    bit_count(bit_or(1 << ({{ day }} - {{ week }})::integer))::integer
{%- endmacro %}
