{#- In each week, the column adds up to the number of rows of another weekly model. -#}
{% test adds_up_to_rows_of(model, column_name, rows_of) %}
    with

    counted as (
        select
            week,
            count(*) as expected
        from {{ get_where_subquery(rows_of) }}
        group by week
    ),

    summed as (
        select
            week,
            sum({{ column_name }}) as found
        from {{ model }}
        group by week
    )

    select
        week,
        counted.expected,
        summed.found
    from counted
    full join summed using (week)
    where counted.expected is distinct from summed.found
{% endtest %}
