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
